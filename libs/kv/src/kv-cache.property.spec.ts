import fc from "fast-check";
import { expect, test } from "vitest";
import type { EvictionPolicy } from "./eviction/policy.ts";
import { weightedAge } from "./eviction/weighted-age.ts";
import { kvGeometry } from "./geometry.ts";
import { CacheModel } from "./testing/cache-model.ts";

const geometry = {
  ...kvGeometry({ isGlobalLayer: [false, false, false, true], chunkSize: 256, kvHeadCount: 1, headDim: 1 }, "f32"),
  rowBytes: 2,
};

/** Operations in all, and in one run; DROVER_KV_OPERATIONS asks for more, such as 1000000. */
const OPERATIONS = Number(process.env.DROVER_KV_OPERATIONS ?? 60_000);
const RUN_OPERATIONS = 200;

const leastRecentlyUsed: EvictionPolicy = { priority: ({ usedAt }) => ({ base: -usedAt, slope: 0 }) };
const mostRecentlyUsed: EvictionPolicy = { priority: ({ usedAt }) => ({ base: usedAt, slope: 0 }) };
const leastUsed: EvictionPolicy = {
  priority: ({ usedAt, reuseCount }) => ({ base: -usedAt, slope: 1 / (1 + Math.min(8, reuseCount)) }),
};

const operation = fc.record({ choice: fc.nat(8), a: fc.nat(9999), b: fc.nat(9999), c: fc.nat(9999) });
const options = fc.record({
  bytesMax: fc.integer({ min: 3000, max: 60_000 }),
  cachedShare: fc.constantFrom(0, 0.3, 1),
  prefixCache: fc.constantFrom(true, true, true, true, true, true, true, false),
  shareRowsMin: fc.constantFrom(0, 64, 200),
  segmentPartsMax: fc.integer({ min: 2, max: 4 }),
  evictionPolicy: fc.constantFrom(weightedAge(geometry), leastRecentlyUsed, leastUsed, mostRecentlyUsed),
});

test(`${OPERATIONS} random operations under any policy leak nothing, free nothing twice, account to the byte and never show a wrong row`, () => {
  const seed = Number(process.env.DROVER_KV_SEED ?? 20_250_405);
  process.stdout.write(`kv cache: ${OPERATIONS} operations, seed ${seed}\n`);
  fc.assert(
    fc.property(
      options,
      fc.array(operation, { minLength: RUN_OPERATIONS, maxLength: RUN_OPERATIONS }),
      ({ cachedShare, ...limits }, operations) => {
        const model = new CacheModel(geometry, {
          ...limits,
          cachedBytesMax: Math.floor(limits.bytesMax * cachedShare),
        });
        for (const [i, each] of operations.entries()) {
          model.run(each);
          if (i % 20 === 0) model.cache.checkIntegrity();
        }
        model.closeAll();
        model.cache.checkIntegrity();
        expect(model.store.byteCount).toBeLessThanOrEqual(limits.bytesMax);
      },
    ),
    { numRuns: OPERATIONS / RUN_OPERATIONS, seed },
  );
});
