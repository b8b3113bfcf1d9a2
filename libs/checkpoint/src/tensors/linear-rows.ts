import { assert } from "@drover/core";

/** A Linear's weight [out, in] of which some rows are read at a time, dequantized to f32: what is in memory stays small whatever its size. */
export type LinearRows = Readonly<{
  outSize: number;
  inSize: number;
  /** Rows [first, first + count), row-major. Errors: the checkpoint's. */
  read(first: number, count: number): Promise<Float32Array>;
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
    let base = 0;
    for (const linear of linears) {
      const from = Math.max(first, base);
      const to = Math.min(first + count, base + linear.outSize);
      if (from < to) out.set(await linear.read(from - base, to - from), (from - first) * inSize);
      base += linear.outSize;
    }
    return out;
  };
  return { outSize: linears.reduce((sum, { outSize }) => sum + outSize, 0), inSize, read };
}

/** Rows [first, first + count) as a Linear of their own. */
export function sliceRows({ inSize, read }: LinearRows, first: number, count: number): LinearRows {
  return { outSize: count, inSize, read: (from, rowCount) => read(first + from, rowCount) };
}

/** All rows. */
export async function readAllRows(linear: LinearRows): Promise<Float32Array> {
  return linear.read(0, linear.outSize);
}
