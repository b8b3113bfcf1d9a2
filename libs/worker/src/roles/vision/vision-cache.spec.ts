import { expect, test } from "vitest";
import { checkVisionCache } from "./vision-cache.ts";

test("a cache of images' features has room for one tile's, or is refused by its flag with the least that works", () => {
  const config = { rowsPerTile: 144, textHiddenSize: 16 };
  checkVisionCache(144 * 16 * 4, config);
  expect(() => checkVisionCache(144 * 16 * 4 - 1, config)).toThrow(
    expect.objectContaining({
      code: "invalid_argument",
      field: "vision_cache",
      message: expect.stringMatching(/^--vision-cache: 9215 bytes .*the least that works is 9216,/),
    }),
  );
});
