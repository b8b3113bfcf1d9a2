import { expect, test } from "vitest";
import { BytePairMerger } from "./byte-pair-merger.ts";
import { BytePairTable } from "./byte-pair-table.ts";
import { SCANNED_SYMBOLS_MAX } from "./limits.ts";
import { naiveBpe } from "./testing/naive-bpe.ts";
import { TokenBuffer } from "./token-buffer.ts";

/** A random vocabulary over three letters: merges of any two tokens so far. */
function vocabulary(draw: (below: number) => number) {
  const tokens = ["a", "b", "c"];
  const ranks = new Map<string, number>();
  const table = BytePairTable.withRoom(40);
  for (let rank = 0; rank < 40; rank++) {
    const left = draw(tokens.length);
    const right = draw(tokens.length);
    const joined = `${tokens[left]}${tokens[right]}`;
    if (joined.length > 9 || ranks.has(`${tokens[left]} ${tokens[right]}`)) continue;
    let id = tokens.indexOf(joined);
    if (id < 0) id = tokens.push(joined) - 1;
    ranks.set(`${tokens[left]} ${tokens[right]}`, rank);
    table.add(left, right, rank, id);
  }
  return { tokens, table, rankOf: (left: string, right: string) => ranks.get(`${left} ${right}`) };
}

test("merging equals its definition, for few symbols and for many", () => {
  let state = 7;
  const draw = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 400; round++) {
    const { tokens, table, rankOf } = vocabulary(draw);
    const merger = new BytePairMerger(table);
    for (const count of [1, 2, 1 + draw(20), SCANNED_SYMBOLS_MAX, SCANNED_SYMBOLS_MAX + 1 + draw(60)]) {
      const symbols = Int32Array.from({ length: count }, () => draw(round % 2 === 0 ? 3 : 1 + (round % 3)));
      const out = new TokenBuffer();
      merger.merge(symbols.slice(), count, out);
      const expected = naiveBpe(
        Array.from(symbols, (id) => tokens[id] ?? ""),
        rankOf,
      );
      expect(Array.from(out.toArray(), (id) => tokens[id])).toEqual(expected);
    }
  }
});
