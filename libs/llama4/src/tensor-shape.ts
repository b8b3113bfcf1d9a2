/** A tensor as a checkpoint's header states it. */
export type TensorShape = Readonly<{
  name: string;
  dtype: string;
  shape: readonly number[];
  byteCount: number;
  /** The weights' own shape where their numbers are packed, or lie in another order: [out, in], or [E, in, out] of fused experts. */
  weightShape?: readonly number[];
}>;

/** Elements of a tensor. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Weights that a tensor holds, which of packed ones are more than its elements. */
export function weightCount({ shape, weightShape }: Pick<TensorShape, "shape" | "weightShape">): number {
  return elementCount(weightShape ?? shape);
}
