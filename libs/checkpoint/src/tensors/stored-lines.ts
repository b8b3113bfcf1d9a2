import { assert } from "@drover/core";
import type { WeightDtype } from "../files/dtype.ts";

/**
 * What a stored number is, without its scale: a float's type; I8, an integer with its sign; U4 and U8, integers around the middle of their range; E2M1, a float of 4
 * bits. Of 4 bits two are a byte, the first in the lower half.
 */
export type NumberForm = WeightDtype | "I8" | "U4" | "U8" | "E2M1";

/**
 * The numbers of a Linear [out, in] as they lie in files. A line is an output's inputs; where they are transposed, an input's outputs (of 4 bits those of two
 * inputs). A weight is its number, or its number times its scale, rounded once to f32.
 */
export type StoredLines = Readonly<{
  form: NumberForm;
  isTransposed: boolean;
  lineCount: number;
  lineBytes: number;
  /** Inputs of an output that share a scale; 0: numbers have none. */
  groupSize: number;
  /** [out, ceil(in / groupSize)]; empty where there are none. Errors: the checkpoint's. */
  scales(): Promise<Float32Array>;
  /** Reads lines from `first` on into all of `target`, which is whole lines. Errors: the checkpoint's. */
  fill(first: number, target: Uint8Array): Promise<void>;
}>;

/** Lines of stacked Linears of one input as those of one; undefined where they are stored in different ways, or lie along outputs. */
export function stackLines(parts: readonly (StoredLines | undefined)[]): StoredLines | undefined {
  const known = parts.flatMap((part) => part ?? []);
  const [one] = known;
  const isAlike = known.every(
    ({ form, groupSize, lineBytes, isTransposed }) =>
      form === one?.form && groupSize === one.groupSize && lineBytes === one.lineBytes && !isTransposed,
  );
  if (one === undefined || known.length < parts.length || !isAlike) return undefined;
  const { form, groupSize, lineBytes } = one;
  const fill = async (first: number, target: Uint8Array): Promise<void> => {
    let base = 0;
    const end = first + target.byteLength / lineBytes;
    for (const { lineCount, fill: fillPart } of known) {
      const [from, to] = [Math.max(first, base), Math.min(end, base + lineCount)];
      if (from < to) await fillPart(from - base, target.subarray((from - first) * lineBytes, (to - first) * lineBytes));
      base += lineCount;
    }
  };
  return {
    ...{ form, groupSize, lineBytes, isTransposed: false, fill },
    lineCount: known.reduce((sum, { lineCount }) => sum + lineCount, 0),
    scales: async () => concatenated(await Promise.all(known.map((part) => part.scales()))),
  };
}

/** Lines [first, first + count) as those of a Linear of their own; undefined where they lie along outputs. */
export function sliceLines(lines: StoredLines | undefined, first: number, count: number): StoredLines | undefined {
  if (lines === undefined || lines.isTransposed) return undefined;
  assert(first + count <= lines.lineCount, "a slice stays inside its Linear");
  return {
    ...lines,
    lineCount: count,
    scales: async () => {
      const scales = await lines.scales();
      const each = scales.length / lines.lineCount;
      return scales.subarray(first * each, (first + count) * each);
    },
    fill: (from, target) => lines.fill(first + from, target),
  };
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
