import type { Tokenizer } from "./tokenizer.ts";

/**
 * Byte-level BPE writes bytes as printable characters: the printable Latin-1 ones stand for themselves, the others for U+0100 and up, in
 * order. Source: GPT-2's encoder, bytes_to_unicode.
 */
const CHARACTER_OF_BYTE: readonly string[] = (() => {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let extra = 0;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : 256 + extra++));
})();

const BYTE_OF_CHARACTER = new Map(CHARACTER_OF_BYTE.map((character, byte) => [character, byte]));

/** The character that stands for a byte. */
export function characterOfByte(byte: number): string {
  return CHARACTER_OF_BYTE[byte] ?? "";
}

/** The bytes of a token written in byte-level characters; undefined where it holds any other character. */
export function bytesOfCharacters(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(token.charAt(i));
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** A token in byte-level characters, one for each of its bytes. */
export function tokenCharacters(tokenizer: Pick<Tokenizer, "tokenBytes">, id: number): string {
  let characters = "";
  for (const byte of tokenizer.tokenBytes(id)) characters += characterOfByte(byte);
  return characters;
}
