import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { keptTokens, ranked } from "../testing/kept-tokens.ts";
import { rows } from "../testing/sample-input.ts";
import { minP } from "./min-p.ts";
import { topK } from "./top-k.ts";

const temperatures = fc.constantFrom(0.3, 1, 4);

test("what has the asked part of the likeliest token's share is kept, and nothing else", () => {
  fc.assert(
    fc.property(rows, temperatures, fc.double({ min: 1e-6, max: 1, noNaN: true }), (row, temperature, part) => {
      const tokens = ranked(row, { temperature });
      const kept = keptTokens(row, { temperature, minP: part }, minP);
      const least = part * at(tokens, 0).share;
      for (const { id, share } of tokens) {
        if (share > least * (1 + 1e-9)) expect(kept).toContain(id);
        if (share < least * (1 - 1e-9)) expect(kept).not.toContain(id);
      }
      expect(kept).toContain(at(tokens, 0).id);
    }),
  );
});

test("a bound on shares behind a limit that counts them is a bug", () => {
  expect(() => keptTokens([1, 2, 3], { temperature: 1, minP: 0.1, topK: 1 }, topK, minP)).toThrow("comes before");
});
