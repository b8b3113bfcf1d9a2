import { assert, DroverError } from "@drover/core";
import { pairsOfRanks } from "./build-vocabulary.ts";
import { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
import { ByteStrings } from "./byte-strings.ts";
import { MERGES_MAX, TOKEN_BYTES_MAX } from "./limits.ts";
import { LLAMA4_SPECIAL_COUNT, llama4Specials } from "./llama4-specials.ts";
import type { SharableTokenizer } from "./tokenizer.ts";

/**
 * Reads tiktoken's tokenizer.model (a line each: a token's bytes in base64 and its rank, which is its id), with Llama 4's split pattern
 * and control tokens. Errors: `invalid_argument` naming the line at fault.
 */
export function parseTiktokenModel(text: string): SharableTokenizer {
  const tokens = readTokens(text);
  const specials = llama4Specials(tokens.length);
  assert(specials.length === LLAMA4_SPECIAL_COUNT, "Llama 4 has 2,048 special tokens");
  const all = [...tokens, ...specials.map(({ content }) => new TextEncoder().encode(content))];
  const strings = ByteStrings.of(all, (id) => id < tokens.length);
  const idOfByte = Int32Array.from({ length: 256 }, (_, byte) => {
    const id = strings.find(Uint8Array.of(byte), 0, 1);
    if (id < 0) fail(`lacks byte ${byte}`);
    return id;
  });
  return new BytePairTokenizer({
    steps: [{ kind: "o200k" }],
    strings,
    merges: pairsOfRanks(strings, tokens.length),
    idOfByte,
    wholePiecesFirst: true,
    specials,
    words: [],
  });
}

function readTokens(text: string): Uint8Array[] {
  const tokens: Uint8Array[] = [];
  const seen = new Set<string>();
  let line = 0;
  for (let at = 0; at < text.length; line++) {
    const end = text.indexOf("\n", at);
    const content = text.slice(at, end < 0 ? text.length : end).trimEnd();
    at = end < 0 ? text.length : end + 1;
    if (content === "") continue;
    const space = content.indexOf(" ");
    const base64 = content.slice(0, space);
    if (space < 1 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0)
      fail(`line ${line + 1} must be a token in base64 and its rank`);
    if (content.slice(space + 1) !== String(tokens.length))
      fail(`line ${line + 1} must have rank ${tokens.length}, since ranks rise by one`);
    if (seen.has(base64)) fail(`line ${line + 1} repeats a token`);
    const bytes = Buffer.from(base64, "base64");
    if (bytes.length > TOKEN_BYTES_MAX) fail(`line ${line + 1} has a token of more than ${TOKEN_BYTES_MAX} bytes`);
    seen.add(base64);
    tokens.push(bytes);
    if (tokens.length > MERGES_MAX) fail(`has more than ${MERGES_MAX} tokens`);
  }
  if (tokens.length === 0) fail("has no tokens");
  return tokens;
}

function fail(what: string): never {
  throw new DroverError("invalid_argument", `tokenizer.model ${what}`);
}
