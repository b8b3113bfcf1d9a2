import type { ModelConfig } from "@drover/checkpoint";
import { at, type StepEntry } from "@drover/core";
import { queryTemperature } from "@drover/llama4";
import { stored } from "@drover/sequences";
import { type RowsContext, SequenceRows } from "../attention/sequence-rows.ts";

/** One entry in the step's batch: its place among the entries, where its rows stand, [offset, offset + rowCount), and its sequence's KV. */
export type StepPart = Readonly<{
  entry: StepEntry;
  index: number;
  offset: number;
  rowCount: number;
  rows: SequenceRows;
}>;

/** The rows of a step, and what is derived from their positions once and used by every layer. */
export type StepLayout = {
  readonly parts: readonly StepPart[];
  readonly rowCount: number;
  readonly moeCount: number;
  /** Chosen experts, [a, MoE layers]. */
  readonly experts: Uint16Array;
  positions?: BigInt64Array;
  temperatures?: Float32Array;
};

/** Stands the entries' rows one behind another. */
export function layOut(entries: readonly StepEntry[], moeCount: number, context: RowsContext): StepLayout {
  return place(
    entries.map((entry, index) => {
      const rows = new SequenceRows(stored(entry.sequence), context);
      return { entry, index, rowCount: entry.tokenIds.length, rows };
    }),
    moeCount,
  );
}

function place(list: ReadonlyArray<Omit<StepPart, "offset">>, moeCount: number): StepLayout {
  let offset = 0;
  const parts = list.map((part) => {
    const placed = { ...part, offset };
    offset += part.rowCount;
    return placed;
  });
  return { parts, rowCount: offset, moeCount, experts: new Uint16Array(offset * moeCount) };
}

/** As many buffers. */
type SameBuffers<Buffers extends readonly Float32Array[]> = { readonly [Index in keyof Buffers]: Float32Array };

/**
 * Takes out every entry that has a missing row: its step is abandoned, the others go on. Buffers are [a, width] and come back with the
 * remaining rows; with nothing missing they come back as they are.
 */
export function dropParked<const Buffers extends readonly Float32Array[]>(
  layout: StepLayout,
  missing: readonly number[],
  buffers: Buffers,
  width: number,
): Readonly<{ layout: StepLayout; buffers: SameBuffers<Buffers> }> {
  if (missing.length === 0) return { layout, buffers: buffers as SameBuffers<Buffers> };
  const lost = new Set<number>();
  for (const row of missing) {
    const part = layout.parts.find((p) => row >= p.offset && row < p.offset + p.rowCount);
    if (part !== undefined) lost.add(part.index);
  }
  const kept = layout.parts.filter((part) => !lost.has(part.index));
  const next = place(kept, layout.moeCount);
  const compact = (buffer: Float32Array): Float32Array => {
    const out = new Float32Array(next.rowCount * width);
    for (const [i, part] of kept.entries()) {
      out.set(
        buffer.subarray(part.offset * width, (part.offset + part.rowCount) * width),
        at(next.parts, i).offset * width,
      );
    }
    return out;
  };
  for (const [i, part] of kept.entries()) {
    const from = layout.experts.subarray(
      part.offset * layout.moeCount,
      (part.offset + part.rowCount) * layout.moeCount,
    );
    next.experts.set(from, at(next.parts, i).offset * layout.moeCount);
  }
  return { layout: next, buffers: buffers.map(compact) as SameBuffers<Buffers> };
}

/** Positions modulo the chunk, one a row. */
export function positionsOf(layout: StepLayout, chunkSize: number): BigInt64Array {
  const out = new BigInt64Array(layout.rowCount);
  for (const { rows, offset, rowCount } of layout.parts) {
    for (let i = 0; i < rowCount; i++) out[offset + i] = BigInt((rows.first + i) % chunkSize);
  }
  return out;
}

/** The queries' temperatures in global layers, one a row. */
export function temperaturesOf(layout: StepLayout, config: ModelConfig): Float32Array {
  const out = new Float32Array(layout.rowCount);
  for (const { rows, offset, rowCount } of layout.parts) {
    for (let i = 0; i < rowCount; i++) out[offset + i] = queryTemperature(config, rows.first + i);
  }
  return out;
}
