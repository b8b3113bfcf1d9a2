/** A tensor as a checkpoint's header states it. */
export type TensorShape = Readonly<{ name: string; dtype: string; shape: readonly number[]; byteCount: number }>;

/** Elements of a tensor. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
