import { bytesOf, type Dtype } from "../files/dtype.ts";
import type { ConversionSetting } from "./setting.ts";

/** A tensor as a header names it. */
export type KeptTensor = Readonly<{ name: string; dtype: Dtype; shape: readonly number[] }>;

/** A safetensors file of the converted folder: tensors in their own type, in this order, behind this header. */
export type KeptFile = Readonly<{
  file: string;
  header: Uint8Array;
  tensors: readonly KeptTensor[];
  byteCount: number;
}>;

/** A Linear that becomes part of a unit, with its scales and whatever else belongs to it, and scales of a KV cache, which nobody reads. */
const CONVERTED =
  /^(language_model\.)?model\.layers\.\d+\.(self_attn\.([qkvo]_proj|[qkv]_scale)|feed_forward\.((shared_expert\.)?(gate|up|down)_proj|experts)\b)/;
const HEAD = /^(language_model\.)?lm_head\./;
const VISION = /^(vision_model|multi_modal_projector)\./;
const EMBEDDING = /(^|\.)(embed_tokens|lm_head)\./;

/**
 * What a conversion leaves as it is (embedding, norms, routers, vision, and the head where it is not quantized), in files by use, so that a process reads
 * the ones it needs. The bytes follow from the tensors' names, types and shapes alone.
 */
export function keptFiles(tensors: Iterable<KeptTensor>, { head }: ConversionSetting): KeptFile[] {
  const groups = new Map<string, KeptTensor[]>();
  for (const tensor of tensors) {
    const { name } = tensor;
    if (CONVERTED.test(name) || (head !== null && HEAD.test(name))) continue;
    const group = VISION.test(name) ? "vision" : EMBEDDING.test(name) ? "embedding" : "text";
    const members = groups.get(group) ?? [];
    members.push(tensor);
    groups.set(group, members);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, members]) => keptFile(`${group}.safetensors`, members));
}

function keptFile(file: string, members: readonly KeptTensor[]): KeptFile {
  const tensors = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const begin = end;
    end += tensorBytes({ dtype, shape });
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  // Spaces up to a multiple of 8, so that every tensor of wide numbers is aligned.
  const length = Math.ceil(text.length / 8) * 8;
  const header = Buffer.alloc(8 + length, " ");
  header.writeBigUInt64LE(BigInt(length));
  text.copy(header, 8);
  return { file, header, tensors, byteCount: header.length + end };
}

export function tensorBytes({ dtype, shape }: Pick<KeptTensor, "dtype" | "shape">): number {
  return bytesOf(
    dtype,
    shape.reduce((product, size) => product * size, 1),
  );
}
