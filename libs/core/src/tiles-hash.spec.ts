import { expect, test } from "vitest";
import { tilesHash, tilesHasher } from "./tiles-hash.ts";

test("the name of tiles is the SHA-256 of their count, their side and their pixels", () => {
  const pixels = new Uint8Array(2 * 2 * 3).fill(7);
  // printf '1x2\n\7\7\7\7\7\7\7\7\7\7\7\7' | sha256sum
  expect(tilesHash(1, 2, pixels)).toBe("b87ff8557fd8a96b2356535fe2203f207d809a2867fe9b00e59d3038ebc725fe");
});

test("the same pixels under another shape have another name", () => {
  const pixels = new Uint8Array(4 * 3);
  expect(tilesHash(1, 2, pixels)).not.toBe(tilesHash(4, 1, pixels));
});

test("pixels that come in parts have the name that they have as a whole", () => {
  const pixels = Uint8Array.from({ length: 3 * 4 * 3 }, (_, i) => i * 7);
  const hasher = tilesHasher(3, 2).update(pixels.subarray(0, 5)).update(pixels.subarray(5));
  expect(hasher.digest("hex")).toBe(tilesHash(3, 2, pixels));
});
