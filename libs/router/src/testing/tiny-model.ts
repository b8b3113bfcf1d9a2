import type { ChatInput } from "@drover/chat";
import { modelId } from "@drover/core";
import { unpackPrompt, withFirst } from "@drover/intake";
import { BYTE_BOS, BYTE_EOS, byteTokenizer } from "@drover/testkit";
import type { ServedModel } from "../served-model.ts";

/** A model whose tokens are bytes: text and ids can be told apart by eye. */
export function tinyModel(overrides: Partial<ServedModel["generation"]> = {}): ServedModel {
  const tokenizer = byteTokenizer();
  const encodeText = async (text: string) => tokenizer.encode(text);
  const encodeChat = async ({ messages }: Pick<ChatInput, "messages">) => {
    const text = messages.map(({ role, content }) => `${role}:${content}\n`).join("");
    return Uint32Array.of(BYTE_BOS, ...tokenizer.encode(text));
  };
  return {
    modelId: modelId("tiny"),
    aliases: [],
    template: { templates: new Map([["default", "{{ messages }}"]]), variables: { bos_token: "<bos>" } },
    callStyle: "json",
    config: { vocabSize: tokenizer.vocabSize, maxPositionEmbeddings: 1000 },
    createdMs: 0,
    generation: {
      bosTokenId: BYTE_BOS,
      eosTokenIds: [BYTE_EOS],
      padTokenId: undefined,
      doSample: false,
      temperature: undefined,
      topP: undefined,
      topK: undefined,
      maxNewTokens: 50,
      ...overrides,
    },
    tokenizer,
    images: undefined,
    prompts: {
      encodeText,
      encodeChat,
      encodePacked: async (bytes) => {
        const prompt = unpackPrompt(bytes);
        return prompt.kind === "text" ? withFirst(await encodeText(prompt.text), prompt) : encodeChat(prompt.input);
      },
    },
  };
}
