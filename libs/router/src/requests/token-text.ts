import { setImmediate } from "node:timers/promises";
import type { Tokenizer } from "@drover/tokenizer";
import { REPLY_SLICE_TOKENS } from "../limits.ts";

/**
 * The text of token ids, special tokens included where `special`, piece by piece: the event loop gets its turn between two of them. A piece may
 * be empty; a character is never cut.
 */
export async function* tokenTexts(
  tokenizer: Tokenizer,
  ids: Uint32Array,
  { special }: Readonly<{ special: boolean }>,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const slice of slicesOf(ids)) {
    const shown = special ? slice : slice.filter((id) => !tokenizer.isSpecial(id));
    yield decoder.decode(Buffer.concat(Array.from(shown, (id) => tokenizer.tokenBytes(id))), { stream: true });
    await setImmediate();
  }
  yield decoder.decode();
}

/** The whole text, which the event loop gets its turn within. */
export async function tokenText(tokenizer: Tokenizer, ids: Uint32Array): Promise<string> {
  let text = "";
  for await (const piece of tokenTexts(tokenizer, ids, { special: false })) text += piece;
  return text;
}

/** Ids in parts that take well under a millisecond each. */
export function* slicesOf(ids: Uint32Array): Generator<Uint32Array> {
  for (let start = 0; start < ids.length; start += REPLY_SLICE_TOKENS)
    yield ids.subarray(start, start + REPLY_SLICE_TOKENS);
}
