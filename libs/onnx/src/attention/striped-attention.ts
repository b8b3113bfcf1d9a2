import type { GraphDims } from "@drover/llama4";
import { type AskedStripes, mergeAnswers, type StripedRows } from "@drover/sequences";
import { dropParked, type StepLayout, type StepPart } from "../text/step-layout.ts";

/** The parts of a step's sequences of which holders have segments. */
export function stripedRows(parts: readonly StepPart[]): readonly StripedRows[] {
  return parts.flatMap(({ rows, offset, rowCount }) => {
    const { remoteEnd, sequence } = rows;
    const { stripes } = sequence;
    return remoteEnd > 0 && stripes !== undefined ? [{ stripes, remoteEnd, offset, rowCount }] : [];
  });
}

/** A layer's attention of which holders have a part: this worker's part of all rows, [a, Q] and [a, H], and what was asked. */
export type StripedAttention = Readonly<{
  asked: AskedStripes<StripedRows>;
  own_aQ: Float32Array;
  lse_aH: Float32Array;
}>;

/** Waits for the holders and merges their parts in. Sequences without an answer leave the step, and so do their rows of x_aD. */
export async function mergeStripes(
  { asked, own_aQ, lse_aH }: StripedAttention,
  layout: StepLayout,
  x_aD: Float32Array,
  dims: GraphDims,
): Promise<Readonly<{ layout: StepLayout; attended_aQ: Float32Array; x_aD: Float32Array }>> {
  const missing = await mergeAnswers(asked, own_aQ, lse_aH, dims);
  const rows = [...missing].map(({ offset }) => offset);
  const kept = dropParked(layout, rows, [own_aQ], dims.headCount * dims.headDim);
  const [attended_aQ] = kept.buffers;
  const [keptX_aD] = dropParked(layout, rows, [x_aD], x_aD.length / layout.rowCount).buffers;
  return { layout: kept.layout, attended_aQ, x_aD: keptX_aD };
}
