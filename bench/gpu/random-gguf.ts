import { randomFillSync } from "node:crypto";
import { open } from "node:fs/promises";

/** Sizes of a Llama 4 text model all of whose layers have experts, as Scout's. */
type GgufShape = Readonly<{
  layers: number;
  vocab: number;
  hidden: number;
  expertWidth: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  experts: number;
}>;

type Tensor = Readonly<{ name: string; sizes: readonly number[]; type: number; offset: number }>;

/** GGUF's numbers of types: of tensors, and of values in the header. */
const [F32, Q4_0] = [0, 2];
const [U32, FLOAT, STRING] = [4, 6, 8];
const ALIGNMENT = 32;
/** A block of q4_0: its scale in f16, and 32 numbers of 4 bits. */
const [BLOCK, BLOCK_BYTES] = [32, 18];
/** Blocks that are made once and written again and again: no multiple of a row's, so that rows are not each other's. */
const POOL_BLOCKS = 2 ** 20 + 7;
/** Scales: of most matrices; and, as f16's smallest numbers, of those whose rows are added to the residual stream. */
const [USUAL, FAINT] = [0.003, 5e-7];

const aligned = (byteCount: number) => Math.ceil(byteCount / ALIGNMENT) * ALIGNMENT;
const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
const q4Bytes = (sizes: readonly number[]) => (product(sizes) / BLOCK) * BLOCK_BYTES;

/**
 * Writes a Llama 4 of random weights in q4_0 as GGUF for a llama.cpp that lets tensors lie at one place (llama-source.sh): all matrices are the beginning of one area, or of another for those whose rows are added to the
 * residual stream, and norms are one row of ones, so 48 of Scout's layers take 1 GB. Every layer has its own router. What layers add is small beside a token's embedding, so that rows
 * choose experts as random ones do. Returns the file's bytes, and those of the tensors as a card holds them.
 */
export async function writeRandomGguf(
  path: string,
  shape: GgufShape,
): Promise<Readonly<{ file: number; held: number }>> {
  const { tensors, ends } = placed(shape);
  const header = headerOf(shape, tensors);
  await using file = await open(path, "w");
  await file.write(header);
  await file.write(new Uint8Array(new Float32Array(shape.hidden).fill(1).buffer), 0, 4 * shape.hidden, header.length);
  const routers = Float32Array.from({ length: (ends.routers - ends.norm) / 4 }, () => Math.random() - 0.5);
  await file.write(new Uint8Array(routers.buffer), 0, routers.byteLength, header.length + ends.norm);
  await writeBlocks(file, USUAL, header.length + ends.routers, header.length + ends.usual);
  await writeBlocks(file, FAINT, header.length + ends.usual, header.length + ends.faint);
  const held = tensors.reduce((sum, { type, sizes }) => sum + (type === F32 ? 4 * product(sizes) : q4Bytes(sizes)), 0);
  return { file: header.length + ends.faint, held };
}

/** All tensors and where they begin, and where each area ends. */
function placed(shape: GgufShape) {
  const { layers, vocab, hidden: d, expertWidth: f, heads, kvHeads, headDim, experts } = shape;
  const embedding = [d, vocab];
  const usual: Readonly<Record<string, readonly number[]>> = {
    attn_q: [d, heads * headDim],
    attn_k: [d, kvHeads * headDim],
    attn_v: [d, kvHeads * headDim],
    ffn_gate_exps: [d, f, experts],
    ffn_up_exps: [d, f, experts],
    ffn_gate_shexp: [d, f],
    ffn_up_shexp: [d, f],
  };
  const faint: Readonly<Record<string, readonly number[]>> = {
    attn_output: [heads * headDim, d],
    ffn_down_exps: [f, d, experts],
    ffn_down_shexp: [f, d],
  };
  const largest = (of: readonly (readonly number[])[]) => aligned(Math.max(...of.map(q4Bytes)));
  const norm = aligned(4 * d);
  const routers = norm + layers * aligned(4 * d * experts);
  const usualEnd = routers + largest([embedding, ...Object.values(usual)]);
  const ends = { norm, routers, usual: usualEnd, faint: usualEnd + largest(Object.values(faint)) };
  const ones = (name: string): Tensor => ({ name, sizes: [d], type: F32, offset: 0 });
  const q4 = (name: string, sizes: readonly number[], offset: number): Tensor => ({ name, sizes, type: Q4_0, offset });
  const tensors = [
    q4("token_embd.weight", embedding, routers),
    ones("output_norm.weight"),
    q4("output.weight", embedding, routers),
    ...Array.from({ length: layers }, (_, i) => [
      ones(`blk.${i}.attn_norm.weight`),
      ones(`blk.${i}.ffn_norm.weight`),
      {
        name: `blk.${i}.ffn_gate_inp.weight`,
        sizes: [d, experts],
        type: F32,
        offset: norm + i * aligned(4 * d * experts),
      },
      ...Object.entries(usual).map(([name, sizes]) => q4(`blk.${i}.${name}.weight`, sizes, routers)),
      ...Object.entries(faint).map(([name, sizes]) => q4(`blk.${i}.${name}.weight`, sizes, usualEnd)),
    ]).flat(),
  ];
  return { tensors, ends };
}

function headerOf(shape: GgufShape, tensors: readonly Tensor[]): Buffer {
  const { layers, vocab, hidden, expertWidth, heads, kvHeads, headDim, experts } = shape;
  const counts = {
    context_length: 131_072,
    embedding_length: hidden,
    block_count: layers,
    feed_forward_length: 2 * expertWidth,
    vocab_size: vocab,
    expert_count: experts,
    expert_used_count: 1,
    interleave_moe_layer_step: 1,
    expert_feed_forward_length: expertWidth,
    "attention.head_count": heads,
    "attention.head_count_kv": kvHeads,
    "attention.key_length": headDim,
    "attention.value_length": headDim,
    "rope.dimension_count": headDim,
  };
  const floats = { "attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 5e5 };
  const pairs = [
    pair("general.architecture", STRING, text("llama4")),
    pair("tokenizer.ggml.model", STRING, text("none")),
    pair("general.file_type", U32, u32(2)),
    pair("general.quantization_version", U32, u32(2)),
    ...Object.entries(counts).map(([key, value]) => pair(`llama4.${key}`, U32, u32(value))),
    ...Object.entries(floats).map(([key, value]) =>
      pair(`llama4.${key}`, FLOAT, Buffer.from(Float32Array.of(value).buffer)),
    ),
  ];
  const infos = tensors.map(({ name, sizes, type, offset }) =>
    Buffer.concat([text(name), u32(sizes.length), ...sizes.map(u64), u32(type), u64(offset)]),
  );
  const all = Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(pairs.length), ...pairs, ...infos]);
  return Buffer.concat([all, Buffer.alloc(aligned(all.length) - all.length)]);
}

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const pair = (key: string, type: number, value: Buffer) => Buffer.concat([text(key), u32(type), value]);

/** Fills [from, to) of a file with random blocks whose scales are between one and two times that size. */
async function writeBlocks(
  file: Awaited<ReturnType<typeof open>>,
  scale: number,
  from: number,
  to: number,
): Promise<void> {
  const pool = Buffer.alloc(Math.min(POOL_BLOCKS * BLOCK_BYTES, to - from));
  randomFillSync(pool);
  const scales = Uint16Array.from({ length: 256 }, (_, i) => halfBits(scale * (1 + i / 256)));
  for (let at = 0; at + BLOCK_BYTES <= pool.length; at += BLOCK_BYTES)
    pool.writeUInt16LE(scales[pool[at] as number] as number, at);
  for (let at = from; at < to; at += pool.length) await file.write(pool, 0, Math.min(pool.length, to - at), at);
}

/** A number that f16 has, above zero, cut to its bits. */
function halfBits(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(value)));
  const mantissa = Math.floor((value / 2 ** exponent) * 1024);
  return mantissa < 1024 ? mantissa : ((exponent + 15) << 10) | (mantissa - 1024);
}
