import { DroverError } from "@drover/core";
import { BytePairTable } from "./byte-pair-table.ts";
import { type ByteStrings, splitHashes } from "./byte-strings.ts";
import { PAIRS_MAX } from "./limits.ts";

/**
 * The pairs that tiktoken joins: every two tokens whose bytes together are a token, by that token's id. `strings` must find mergeable
 * tokens only, of ids below `count`. Errors: `invalid_argument` for more pairs than any vocabulary has.
 */
export function pairsOfRanks(strings: ByteStrings, count: number): BytePairTable {
  const joins: number[] = [];
  let longest = 0;
  for (let id = 0; id < count; id++) longest = Math.max(longest, strings.lengthOf(id));
  const prefixes = new Int32Array(longest + 1);
  const suffixes = new Int32Array(longest + 1);
  for (let id = 0; id < count; id++) {
    const bytes = strings.of(id);
    if (bytes.length < 2) continue;
    splitHashes(bytes, prefixes, suffixes);
    for (let cut = 1; cut < bytes.length; cut++) {
      const left = strings.find(bytes, 0, cut, prefixes[cut]);
      const right = left < 0 ? -1 : strings.find(bytes, cut, bytes.length, suffixes[cut]);
      if (right >= 0) joins.push(left, right, id);
    }
    if (joins.length > 3 * PAIRS_MAX)
      throw new DroverError("invalid_argument", `the vocabulary has more than ${PAIRS_MAX} pairs that make a token`);
  }
  const table = BytePairTable.withRoom(joins.length / 3);
  for (let i = 0; i < joins.length; i += 3) {
    const id = joins[i + 2] ?? 0;
    table.add(joins[i] ?? 0, joins[i + 1] ?? 0, id, id);
  }
  return table;
}
