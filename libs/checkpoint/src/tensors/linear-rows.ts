import { assert } from "@drover/core";
import { type StoredLines, sliceLines, stackLines } from "./stored-lines.ts";

/** A Linear's weight [out, in] of which some rows are read at a time, dequantized to f32: what is in memory stays small whatever its size. */
export type LinearRows = Readonly<{
  outSize: number;
  inSize: number;
  /** Rows [first, first + count), row-major. Errors: the checkpoint's. */
  read(first: number, count: number): Promise<Float32Array>;
  /** The same without a conversion; undefined where parts of it are stored in different ways, or in one that only {@link LinearRows.read} knows. */
  stored: StoredLines | undefined;
}>;

/** Linears of one input as one, their rows in order. */
export function stackRows(linears: readonly LinearRows[]): LinearRows {
  const [only] = linears;
  assert(only !== undefined, "there is something to stack");
  const { inSize } = only;
  assert(
    linears.every((linear) => linear.inSize === inSize),
    "stacked Linears have one input",
  );
  if (linears.length === 1) return only;
  const read = async (first: number, count: number): Promise<Float32Array> => {
    const out = new Float32Array(count * inSize);
    for (const { linear, from, to, at } of partsOf(linears, first, count))
      out.set(await linear.read(from, to - from), at * inSize);
    return out;
  };
  const outSize = linears.reduce((sum, linear) => sum + linear.outSize, 0);
  return { outSize, inSize, read, stored: stackLines(linears.map(({ stored }) => stored)) };
}

/** Rows [first, first + count) of stacked Linears: rows [from, to) of each, which are rows `at` and on of what is read. */
function partsOf(linears: readonly LinearRows[], first: number, count: number) {
  let base = 0;
  return linears.flatMap((linear) => {
    const from = Math.max(first, base) - base;
    const to = Math.min(first + count, base + linear.outSize) - base;
    const part = { linear, from, to, at: base + from - first };
    base += linear.outSize;
    return from < to ? [part] : [];
  });
}

/** Rows [first, first + count) as a Linear of their own. */
export function sliceRows({ inSize, read, stored }: LinearRows, first: number, count: number): LinearRows {
  return {
    outSize: count,
    inSize,
    read: (from, rowCount) => read(first + from, rowCount),
    stored: sliceLines(stored, first, count),
  };
}

/** All rows. */
export async function readAllRows(linear: LinearRows): Promise<Float32Array> {
  return linear.read(0, linear.outSize);
}
