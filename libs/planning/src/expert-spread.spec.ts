import type { StoredFormats } from "@drover/llama4";
import fc from "fast-check";
import { expect, test } from "vitest";
import { spreadExperts } from "./expert-spread.ts";
import { weightInventory } from "./inventory.ts";
import { bf16Formats, checkpointTensors, fusedFp8Formats, maverick } from "./testing/models.ts";

const inventoryOf = (formats: StoredFormats) => weightInventory(checkpointTensors(maverick, formats), maverick);
const plain = inventoryOf(bf16Formats);
// The last layer's experts stay in bf16, as some FP8 checkpoints have it.
const mixed = inventoryOf({
  ...fusedFp8Formats,
  linear: (path) => (path.includes(".47.") ? bf16Formats : fusedFp8Formats).linear(path),
});

test("every copy of every expert is somewhere, and counts and bytes differ by one expert at most for each format", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(plain, mixed),
      (holders, copies, weights) => {
        const shares = spreadExperts(weights, maverick.expertCount, holders, copies);
        const counts = shares.map(({ expertCount }) => expertCount);
        const bytes = shares.reduce((sum, share) => sum + share.bytes, 0);
        expect(counts.reduce((a, b) => a + b)).toBe(copies * 24 * 128);
        expect(bytes).toBe(copies * weights.byKind.routed.bytes);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 50 },
  );
});
