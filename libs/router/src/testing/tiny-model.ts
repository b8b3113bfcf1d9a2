import { modelId } from "@drover/core";
import type { ServedModel } from "../served-model.ts";

const BOS = 256;
const EOS = 257;

/** A model whose tokens are bytes: text and ids can be told apart by eye. */
export function tinyModel(overrides: Partial<ServedModel["generation"]> = {}): ServedModel {
  const isSpecial = (id: number) => id >= BOS;
  const encode = (text: string) => [...new TextEncoder().encode(text)];
  const tokenText = (id: number) => (id === BOS ? "<bos>" : id === EOS ? "<eos>" : String.fromCharCode(id));
  return {
    modelId: modelId("tiny"),
    config: { vocabSize: 258, maxPositionEmbeddings: 1000 },
    createdMs: 0,
    generation: {
      bosTokenId: BOS,
      eosTokenIds: [EOS],
      padTokenId: undefined,
      doSample: false,
      temperature: undefined,
      topP: undefined,
      topK: undefined,
      maxNewTokens: 50,
      ...overrides,
    },
    tokenizer: {
      vocabSize: 258,
      encode: (text) => Uint32Array.from(encode(text)),
      encodeSegments: (segments) =>
        Uint32Array.from(
          segments.flatMap((segment) => (segment.kind === "text" ? encode(segment.text) : [segment.id])),
        ),
      decode: (ids, options) =>
        options?.special === true
          ? ids.map(tokenText).join("")
          : new TextDecoder().decode(Uint8Array.from(ids.filter((id) => !isSpecial(id)))),
      tokenText,
      tokenBytes: (id) => Uint8Array.from(isSpecial(id) ? encode(tokenText(id)) : [id]),
      specialId: (content) => ({ "<bos>": BOS, "<eos>": EOS })[content],
      isSpecial,
      stream: () => {
        const decoder = new TextDecoder();
        return {
          push: (id) => decoder.decode(Uint8Array.of(id), { stream: true }),
          flush: () => decoder.decode(),
        };
      },
    },
    images: undefined,
    prompts: {
      encodeText: async (text) => Uint32Array.from(encode(text)),
      encodeChat: async ({ messages }) => {
        const text = messages.map(({ role, content }) => `${role}:${content}\n`).join("");
        return Uint32Array.from([BOS, ...encode(text)]);
      },
    },
  };
}
