import type { KvGeometry } from "../geometry.ts";
import { rowBytesOf } from "../geometry.ts";
import type { EvictionPolicy } from "./policy.ts";

/** A local row weighs at least this many global ones, so that it goes before the global rows that it needs. */
const LOCAL_WEIGHT_MIN = 2;

/** What was found again weighs so much less: its next use is likelier. */
const REUSED_WEIGHT = 1 / 2;

/**
 * The policy by age times weight, where a row's weight is its bytes: memory goes to what saves the most computing for
 * its size. A local row takes as many times a global row's bytes as there are more local layers (3 for Llama 4), and
 * either one saves the same row.
 */
export function weightedAge(geometry: KvGeometry): EvictionPolicy {
  const globalBytes = rowBytesOf(geometry, "global");
  const bytesRatio = globalBytes === 0 ? 1 : rowBytesOf(geometry, "local") / globalBytes;
  const weights = { global: 1, local: Math.max(LOCAL_WEIGHT_MIN, bytesRatio) };
  return {
    priority: ({ kind, usedAt, reuseCount }) => {
      const weight = weights[kind] * (reuseCount > 0 ? REUSED_WEIGHT : 1);
      // weight * age: what was used in this very opening has the age 1.
      return { base: weight * (1 - usedAt), slope: weight };
    },
  };
}
