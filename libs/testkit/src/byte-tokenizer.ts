import type { Tokenizer } from "@drover/tokenizer";

/** The tokens of `byteTokenizer` that are no bytes. */
export const BYTE_BOS = 256;
export const BYTE_EOS = 257;

const SPECIAL_NAMES: Readonly<Record<string, number>> = { "<bos>": BYTE_BOS, "<eos>": BYTE_EOS };

/** A tokenizer whose tokens are bytes, so that text and ids can be told apart by eye; two special tokens follow them. */
export function byteTokenizer(): Tokenizer {
  const isSpecial = (id: number) => id >= BYTE_BOS;
  const encode = (text: string) => [...new TextEncoder().encode(text)];
  const tokenText = (id: number) => (id === BYTE_BOS ? "<bos>" : id === BYTE_EOS ? "<eos>" : String.fromCharCode(id));
  return {
    vocabSize: 258,
    encode: (text) => Uint32Array.from(encode(text)),
    encodeSegments: (segments) =>
      Uint32Array.from(segments.flatMap((segment) => (segment.kind === "text" ? encode(segment.text) : [segment.id]))),
    decode: (ids, options) =>
      options?.special === true
        ? ids.map(tokenText).join("")
        : new TextDecoder().decode(Uint8Array.from(ids.filter((id) => !isSpecial(id)))),
    tokenText,
    tokenBytes: (id) => Uint8Array.from(isSpecial(id) ? encode(tokenText(id)) : [id]),
    specialId: (content) => SPECIAL_NAMES[content],
    isSpecial,
    stream: () => {
      const decoder = new TextDecoder();
      return {
        push: (id) => (isSpecial(id) ? "" : decoder.decode(Uint8Array.of(id), { stream: true })),
        flush: () => decoder.decode(),
      };
    },
  };
}
