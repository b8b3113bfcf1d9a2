import { type TensorShape, tensorPurpose, type WeightKind } from "@drover/llama4";

/** A format of Linears: the name for tables, and what one [out, in] takes. */
export type LinearSizes = Readonly<{ dtype: string; linearBytes: (outSize: number, inSize: number) => number }>;

/** How a plan quantizes; a head of null stays as it is stored. */
export type QuantizedSizes = Readonly<{ layers: LinearSizes; head: LinearSizes | null }>;

const LAYER_KINDS: readonly WeightKind[] = ["attention", "dense", "shared", "routed"];

/** A checkpoint's tensors once its Linears are quantized: scales of the stored form vanish; router, embedding, norms, biases and vision stay. */
export function quantizedTensors(tensors: readonly TensorShape[], { layers, head }: QuantizedSizes): TensorShape[] {
  return tensors.flatMap((tensor) => {
    const { kind, isScale } = tensorPurpose(tensor.name);
    const sizes = kind === "head" ? head : LAYER_KINDS.includes(kind) ? layers : null;
    if (sizes === null) return [tensor];
    if (isScale) return [];
    const shape = tensor.weightShape ?? tensor.shape;
    const [first, second, third] = shape;
    if (first === undefined || second === undefined) return [tensor];
    // Fused experts are [E, in, out], Linears [out, in].
    const byteCount = third === undefined ? sizes.linearBytes(first, second) : first * sizes.linearBytes(third, second);
    return [{ name: tensor.name, dtype: sizes.dtype, shape, byteCount }];
  });
}
