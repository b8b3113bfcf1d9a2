import type { AttendCall, AttendedPart, ContextHolder, StripeQuery, TraceCall } from "@drover/core";
import { mergePartials } from "./merge-partials.ts";
import type { SequenceStripes } from "./sequence-stripes.ts";

/** A sequence's rows in a step, [offset, offset + rowCount), that attend to its segments before `remoteEnd`, which holders have. */
export type StripedRows = Readonly<{
  stripes: SequenceStripes;
  remoteEnd: number;
  offset: number;
  rowCount: number;
}>;

/** Sizes of a row of queries: [H * d]. */
export type QuerySizes = Readonly<{ headCount: number; headDim: number }>;

type Call<Part> = { readonly parts: Part[]; readonly queries: StripeQuery[]; rowCount: number };

/** What one holder has to say of its parts; undefined: nobody was there, or it has lost a segment. */
type HolderAnswer<Part> = Readonly<{ parts: readonly Part[]; part: AttendedPart | undefined }>;

/** What was asked of the holders in one layer and step, and the parts of which a segment is lost, which nobody was asked for. */
export type AskedStripes<Part> = Readonly<{ answers: Promise<readonly HolderAnswer<Part>[]>; lost: readonly Part[] }>;

/** Sends the queries of `striped` rows to everybody who holds what they attend to: one call for each holder. `layer` counts global layers; q_aQ [a, H * d] has the step's rows. */
export function askStripes<Part extends StripedRows>(
  layer: number,
  striped: readonly Part[],
  q_aQ: Float32Array,
  { headCount, headDim }: QuerySizes,
  traceCall?: TraceCall,
): AskedStripes<Part> {
  const width = headCount * headDim;
  const calls = new Map<ContextHolder, Call<Part>>();
  const lost: Part[] = [];
  for (const part of striped) {
    const { stripes, remoteEnd, rowCount } = part;
    const shares = stripes.shares(remoteEnd);
    if (shares === undefined) lost.push(part);
    for (const { holder, sequenceId, segments } of shares ?? []) {
      const call = calls.get(holder) ?? { parts: [], queries: [], rowCount: 0 };
      call.parts.push(part);
      const asked = { endSegment: remoteEnd, segmentCount: segments.length, segments };
      call.queries.push({ sequenceId, ...asked, rowCount });
      call.rowCount += rowCount;
      calls.set(holder, call);
    }
  }
  const ask = async ([holder, { parts, queries, rowCount }]: [ContextHolder, Call<Part>]) => {
    const attributes = { "drover.worker": holder.workerId, "drover.global_layer": layer, "drover.rows": rowCount };
    const span = traceCall?.("context call", attributes);
    const call: AttendCall = { layer, queries, q_aQ: gather(parts, rowCount, q_aQ, width), trace: span?.context };
    const part = await holder.attend(call);
    span?.end(part === undefined ? "unavailable" : undefined);
    return { parts, part };
  };
  return { answers: Promise.all([...calls].map(ask)), lost };
}

/**
 * Waits for the holders and merges their parts into attended_aQ [a, H * d] and lse_aH [a, H], which have what is attended to elsewhere. Returns the parts without a
 * whole answer: their rows say nothing.
 */
export async function mergeAnswers<Part extends StripedRows>(
  { answers, lost }: AskedStripes<Part>,
  attended_aQ: Float32Array,
  lse_aH: Float32Array,
  { headCount, headDim }: QuerySizes,
): Promise<ReadonlySet<Part>> {
  const width = headCount * headDim;
  const missing = new Set(lost);
  for (const { parts, part } of await answers) {
    if (part === undefined) {
      for (const each of parts) missing.add(each);
      continue;
    }
    let row = 0;
    for (const { offset, rowCount } of parts) {
      const [from, to] = [offset, offset + rowCount];
      mergePartials(
        attended_aQ.subarray(from * width, to * width),
        lse_aH.subarray(from * headCount, to * headCount),
        part.attended_aQ.subarray(row * width, (row + rowCount) * width),
        part.lse_aH.subarray(row * headCount, (row + rowCount) * headCount),
        headDim,
      );
      row += rowCount;
    }
  }
  return missing;
}

function gather(parts: readonly StripedRows[], rowCount: number, q_aQ: Float32Array, width: number): Float32Array {
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
