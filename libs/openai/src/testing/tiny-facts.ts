import { DroverError } from "@drover/core";
import { BYTE_BOS, BYTE_EOS } from "@drover/testkit";
import type { ModelFacts, SamplingDefaults } from "../request/model-facts.ts";
import { errorReply } from "../write/error.ts";

/** A small model whose tokens are bytes. */
export function tinyFacts(defaults: Partial<SamplingDefaults> = {}, readsImages = true): ModelFacts {
  return {
    modelId: "tiny",
    aliases: ["small"],
    vocabSize: 258,
    contextTokensMax: 100,
    callStyle: "json",
    readsImages,
    defaults: {
      bosTokenId: BYTE_BOS,
      eosTokenIds: [BYTE_EOS],
      doSample: false,
      temperature: undefined,
      topP: undefined,
      topK: undefined,
      maxNewTokens: 50,
      ...defaults,
    },
  };
}

/** What a client is told of what `read` refuses: the code and the message. */
export function refused(read: () => unknown): readonly [code: string, message: string] {
  try {
    read();
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    const { code, message } = errorReply(error).error;
    return [code, message];
  }
  throw new Error("it was accepted");
}
