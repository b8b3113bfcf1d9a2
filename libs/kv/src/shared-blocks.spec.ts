import fc from "fast-check";
import { expect, test } from "vitest";
import { BlockHashes } from "./block-hashes.ts";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS } from "./limits.ts";
import { sharedHashCount } from "./shared-blocks.ts";

const chainOf = (ids: readonly number[]) => {
  const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
  chain.append(Int32Array.from(ids));
  return chain.wire.slice();
};

test("two chains share as many hashes as their prompts have whole blocks in common", () => {
  const length = fc.nat(12 * BLOCK_TOKENS);
  fc.assert(
    fc.property(length, length, length, (common, restA, restB) => {
      const begin = Array.from({ length: common }, (_, i) => i);
      const a = chainOf([...begin, ...new Array<number>(restA).fill(7)]);
      const b = chainOf([...begin, ...new Array<number>(restB).fill(9)]);
      const whole = Math.min(
        Math.floor(common / BLOCK_TOKENS),
        a.length / BLOCK_HASH_BYTES,
        b.length / BLOCK_HASH_BYTES,
      );
      expect(sharedHashCount(a, b)).toBe(whole);
      expect(sharedHashCount(a, a)).toBe(a.length / BLOCK_HASH_BYTES);
      expect(sharedHashCount(a, new Uint8Array())).toBe(0);
    }),
  );
});
