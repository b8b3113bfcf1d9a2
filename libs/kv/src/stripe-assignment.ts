import { at } from "@drover/core";
import { type KvGeometry, rowBytesOf, segmentRowsOf } from "./geometry.ts";
import { OWN_SEGMENTS_MAX } from "./limits.ts";

/** One worker that can hold segments of others, as the one that gives them away knows it. */
export type StripeRoom = Readonly<{ /** What it has room for, bytes. */ bytesFree: number }>;

/** Bytes of one whole segment in all global layers. */
export function segmentBytes(geometry: KvGeometry): number {
  return segmentRowsOf(geometry, true) * rowBytesOf(geometry, "global");
}

/**
 * Which of the holders gets a segment, as an index: they take turns in the segments' order, so that at any time of a
 * causal prefill, whose later rows attend to all earlier segments, each has an equal share of the work. One without
 * room is passed over. `first`: whose turn segment 0 is, so that several sequences begin at different ones. Undefined
 * when there is room nowhere.
 */
export function stripeHolder(
  holders: readonly StripeRoom[],
  segment: number,
  first: number,
  bytes: number,
): number | undefined {
  for (let tries = 0; tries < holders.length; tries++) {
    const index = (first + segment + tries) % holders.length;
    if (at(holders, index).bytesFree >= bytes) return index;
  }
  return undefined;
}

/**
 * Rows that a striped sequence of `length` rows ever has in its own worker's global layers: what grows, and what is on
 * its way to a holder.
 */
export function ownRowsMax(geometry: KvGeometry, length: number): number {
  return Math.min(length, OWN_SEGMENTS_MAX * segmentRowsOf(geometry, true));
}

/** Bytes that a striped sequence of `length` rows has on holders in the end. */
export function stripedBytes(geometry: KvGeometry, length: number): number {
  const rows = segmentRowsOf(geometry, true);
  return Math.floor(length / rows) * segmentBytes(geometry);
}
