import type { AttendCall, AttendedPart, ContextHolder, StripeQuery, TraceCall } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { dropParked, type StepLayout, type StepPart } from "../text/step-layout.ts";
import { mergePartials } from "./attention.ts";

type Call = { readonly parts: StepPart[]; readonly queries: StripeQuery[]; rowCount: number };
type HolderAnswer = Readonly<{ parts: readonly StepPart[]; part: AttendedPart | undefined }>;

/** What was asked of the holders in one layer and step. */
type AskedStripes = Readonly<{ answers: Promise<readonly HolderAnswer[]>; lost: readonly StepPart[] }>;

/** Sends the queries of `striped` sequences to everybody who holds what they attend to: one call for each holder. `layer` counts global layers. */
export function askStripes(
  layer: number,
  striped: readonly StepPart[],
  q_aQ: Float32Array,
  { headCount, headDim }: GraphDims,
  traceCall?: TraceCall,
): AskedStripes {
  const width = headCount * headDim;
  const calls = new Map<ContextHolder, Call>();
  const lost: StepPart[] = [];
  for (const part of striped) {
    const { remoteEnd, sequence } = part.rows;
    const { stripes } = sequence;
    const shares = stripes?.shares(remoteEnd);
    if (stripes === undefined || shares === undefined) lost.push(part);
    else {
      for (const [holder, segmentCount] of shares) {
        const call = calls.get(holder) ?? { parts: [], queries: [], rowCount: 0 };
        const { rowCount } = part;
        call.parts.push(part);
        call.queries.push({ sequenceId: stripes.sequenceId, endSegment: remoteEnd, segmentCount, rowCount });
        call.rowCount += rowCount;
        calls.set(holder, call);
      }
    }
  }
  const ask = async ([holder, { parts, queries, rowCount }]: [ContextHolder, Call]): Promise<HolderAnswer> => {
    const attributes = { "drover.worker": holder.workerId, "drover.global_layer": layer, "drover.rows": rowCount };
    const span = traceCall?.("context call", attributes);
    const call: AttendCall = { layer, queries, q_aQ: gather(parts, rowCount, q_aQ, width), trace: span?.context };
    const part = await holder.attend(call);
    span?.end(part === undefined ? "unavailable" : undefined);
    return { parts, part };
  };
  return { answers: Promise.all([...calls].map(ask)), lost };
}

/** A layer's attention of which holders have a part: this worker's part of all rows, [a, Q] and [a, H], and what was asked. */
export type StripedAttention = Readonly<{ asked: AskedStripes; own_aQ: Float32Array; lse_aH: Float32Array }>;

/** Waits for the holders and merges their parts in. Sequences without an answer leave the step, and so do their rows of x_aD. */
export async function mergeStripes(
  { asked, own_aQ, lse_aH }: StripedAttention,
  layout: StepLayout,
  x_aD: Float32Array,
  { headCount, headDim }: GraphDims,
): Promise<Readonly<{ layout: StepLayout; attended_aQ: Float32Array; x_aD: Float32Array }>> {
  const width = headCount * headDim;
  const missing = new Set(asked.lost);
  for (const { parts, part } of await asked.answers) {
    let row = 0;
    for (const { offset, rowCount } of parts) {
      const [from, to] = [offset, offset + rowCount];
      if (part !== undefined)
        mergePartials(
          own_aQ.subarray(from * width, to * width),
          lse_aH.subarray(from * headCount, to * headCount),
          part.attended_aQ.subarray(row * width, (row + rowCount) * width),
          part.lse_aH.subarray(row * headCount, (row + rowCount) * headCount),
          headDim,
        );
      row += rowCount;
    }
    if (part === undefined) for (const each of parts) missing.add(each);
  }
  const rows = [...missing].map(({ offset }) => offset);
  const kept = dropParked(layout, rows, [own_aQ], width);
  const [attended_aQ] = kept.buffers;
  const [keptX_aD] = dropParked(layout, rows, [x_aD], x_aD.length / layout.rowCount).buffers;
  return { layout: kept.layout, attended_aQ, x_aD: keptX_aD };
}

function gather(parts: readonly StepPart[], rowCount: number, q_aQ: Float32Array, width: number): Float32Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined)
    return q_aQ.subarray(only.offset * width, (only.offset + rowCount) * width);
  const out = new Float32Array(rowCount * width);
  let row = 0;
  for (const part of parts) {
    out.set(q_aQ.subarray(part.offset * width, (part.offset + part.rowCount) * width), row * width);
    row += part.rowCount;
  }
  return out;
}
