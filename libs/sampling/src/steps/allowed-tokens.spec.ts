import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput } from "../testing/sample-input.ts";
import { allowedTokens, allowsOtherThan } from "./allowed-tokens.ts";

/** Words for up to 96 tokens, whole and empty ones among them. */
const masks = fc
  .array(fc.oneof(fc.constantFrom(0, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff })), {
    minLength: 3,
    maxLength: 3,
  })
  .map((words) => Uint32Array.from(words));

const isAllowed = (mask: Uint32Array, id: number) => ((mask[Math.floor(id / 32)] ?? 0) >>> (id % 32)) % 2 === 1;

test("a token keeps its score if its bit is set, and can never be chosen if it is not", () => {
  fc.assert(
    fc.property(rows, masks, (row, allowed) => {
      const scores = Float32Array.from(row);
      allowedTokens.apply(scores, sampleInput({ allowed }));
      const expected = Float32Array.from(row, (score, id) => (isAllowed(allowed, id) ? score : -Infinity));
      expect(scores).toEqual(expected);
    }),
  );
});

test("a mask allows others than some tokens as long as one more bit is set", () => {
  fc.assert(
    fc.property(masks, fc.array(fc.nat(120)), fc.boolean(), (allowed, some, takesAll) => {
      const ids = takesAll ? [...some, ...Array.from({ length: 96 }, (_, id) => id).slice(0, 95)] : some;
      const others = Array.from({ length: 96 }, (_, id) => id).filter(
        (id) => isAllowed(allowed, id) && !ids.includes(id),
      );
      expect(allowsOtherThan(allowed, ids)).toBe(others.length > 0);
    }),
  );
});

test("a mask that is shorter than the vocabulary is a bug", () => {
  expect(() => allowedTokens.apply(new Float32Array(65), sampleInput({ allowed: new Uint32Array(2) }))).toThrow(
    "a grammar's mask has a bit for every token",
  );
});
