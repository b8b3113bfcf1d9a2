import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonPieces, LongList } from "./long-list.ts";

test("pieces together are what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const value = { one, absent: undefined, list: new LongList(() => [one, other]), empty: new LongList(() => []) };
      expect([...jsonPieces(value)].join("")).toBe(JSON.stringify(value));
    }),
    { numRuns: 50 },
  );
});

test("of a long list no more is made than was asked for", () => {
  let made = 0;
  const list = new LongList(function* () {
    for (let i = 0; i < 1_000_000; i++) {
      made++;
      yield { text: "a token's facts", i };
    }
  });
  const pieces = jsonPieces({ list });
  expect(pieces.next().value?.length).toBeGreaterThan(30_000);
  expect(made).toBeLessThan(2_000);
});
