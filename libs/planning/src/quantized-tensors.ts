import type { TensorShape } from "./model-shape.ts";
import { tensorPurpose, type WeightKind } from "./tensor-kind.ts";

/** How a plan quantizes: the name for its tables, and the bytes of a Linear [out, in]. `undefined` bytes: it stays as it is stored. */
export type QuantizedSizes = Readonly<{
  dtype: string;
  linearBytes: (outSize: number, inSize: number) => number;
  headBytes: (outSize: number, inSize: number) => number | undefined;
}>;

const QUANTIZED_KINDS: readonly WeightKind[] = ["attention", "dense", "shared", "routed", "head"];

/** The same tensors once their Linears are quantized; scales of the stored form vanish. Router, embedding, norms and vision stay. */
export function quantizedTensors(tensors: readonly TensorShape[], sizes: QuantizedSizes): TensorShape[] {
  return tensors.flatMap((tensor) => {
    const { kind, isScale } = tensorPurpose(tensor.name);
    if (!QUANTIZED_KINDS.includes(kind)) return [tensor];
    const [a = 1, b = 1, c] = tensor.shape;
    // Fused experts are [E, in, out], Linears [out, in].
    const byteCount =
      kind === "head" ? sizes.headBytes(a, b) : c === undefined ? sizes.linearBytes(a, b) : a * sizes.linearBytes(c, b);
    if (byteCount === undefined) return [tensor];
    return isScale ? [] : [{ ...tensor, dtype: sizes.dtype, byteCount }];
  });
}
