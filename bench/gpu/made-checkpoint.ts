import { createHash, randomFillSync } from "node:crypto";
import { copyFile, link, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadModelConfig } from "@drover/checkpoint";
import type { FileRecord } from "../../libs/checkpoint/src/converted/file-record.ts";
import { type KeptTensor, keptFiles } from "../../libs/checkpoint/src/converted/kept-tensors.ts";
import { MANIFEST, manifestText } from "../../libs/checkpoint/src/converted/manifest.ts";
import { conversionSetting } from "../../libs/checkpoint/src/converted/setting.ts";
import { layoutOf, modelUnits, type UnitId, unitFile } from "../../libs/checkpoint/src/converted/units.ts";
import { shapeConfig } from "./shape-config.ts";

/** What a made checkpoint is: whose shapes it has, how many layers, and whether all but their number is small too. */
export type MadeShape = Readonly<{ model: "scout" | "maverick"; layers: number; isTiny: boolean }>;

/** Files of a kind that differ; the others are links to them. */
const EXPERT_FILES = 4;
const PIECE = 16 * 2 ** 20;
/** Where the tokenizer is taken from; it is filled up to Llama 4's vocabulary. */
const TOKENIZER = join(import.meta.dirname, "../../models/nano");

/**
 * Writes a checkpoint of random weights in a model's shapes to `folder`: converted to int4 by blocks of 128, the head in 8 bits, as `drover convert` leaves it, but for what it packs for CPUs.
 * A layer's files are links to one layer's, and its experts to four: on a card they are apart all the same.
 */
export async function makeConverted(folder: string, shape: MadeShape): Promise<void> {
  await writeModelFiles(folder, shape);
  const config = await loadModelConfig(folder);
  const setting = conversionSetting({ bits: 4, blockSize: 128 });
  const made = new Map<string, FileRecord>();
  const files: FileRecord[] = [];
  for (const unit of modelUnits(config, setting)) {
    const file = unitFile(unit);
    const like = kindOf(unit);
    const known = made.get(like);
    await mkdir(dirname(join(folder, file)), { recursive: true });
    if (known !== undefined) await link(join(folder, known.file), join(folder, file));
    const record = known ?? {
      file,
      prepared: null,
      ...(await writeUnit(join(folder, file), layoutOf(unit, config, setting))),
    };
    made.set(like, record);
    files.push({ ...record, file });
  }
  for (const { file, header, tensors, byteCount } of keptFiles(keptTensors(shape), setting)) {
    const sha256 = await writeKept(join(folder, file), header, tensors);
    files.push({ file, byteCount, sha256, prepared: null });
  }
  await writeFile(join(folder, MANIFEST), manifestText({ source: "made", setting, packing: "none", files }));
  await writeIndex(folder, keptFiles(keptTensors(shape), setting));
}

/** The same in bf16 as it is released, one file a layer: what is quantized on its way. */
export async function makeReleased(folder: string, shape: MadeShape): Promise<void> {
  await writeModelFiles(folder, shape);
  const { layers } = shape;
  const files = Array.from({ length: layers + 1 }, (_, i) => ({
    file: `model-${i}.safetensors`,
    tensors: [] as KeptTensor[],
  }));
  for (const tensor of releasedTensors(shape)) {
    const layer = /layers\.(\d+)\./.exec(tensor.name)?.[1];
    files[layer === undefined ? layers : Number(layer)]?.tensors.push(tensor);
  }
  for (const { file, tensors } of files) await writeKept(join(folder, file), headerOf(tensors), tensors);
  await writeIndex(folder, files);
}

function kindOf(unit: UnitId): string {
  if (unit.kind === "head") return `head ${unit.part}`;
  return unit.kind === "expert" ? `expert ${unit.expert % EXPERT_FILES}` : unit.kind;
}

type Layout = ReturnType<typeof layoutOf>;

/** Random integers, as often above zero as below, and scales of about one size; behind them a hole where a CPU's packing would be. */
async function writeUnit(path: string, layout: Layout): Promise<Pick<FileRecord, "byteCount" | "sha256">> {
  await using file = await open(path, "wx");
  const hash = createHash("sha256");
  const bytes = Buffer.alloc(layout.preparedStart);
  for (const { quantization, parts } of layout.linears) {
    for (const { packed, scales } of parts) {
      fillCodes(bytes.subarray(packed.offset, packed.offset + packed.length), quantization.bits);
      const size = quantization.bits === 4 ? 0.0022 : 0.000_13;
      for (let at = scales.offset; at < scales.offset + scales.length; at += 4)
        bytes.writeFloatLE(size * (0.9 + (bytes[at >> 3] ?? 0) / 1024), at);
    }
  }
  await file.write(bytes, 0, bytes.length, 0);
  await file.truncate(layout.byteCount);
  return { byteCount: layout.byteCount, sha256: hash.update(bytes).digest("hex") };
}

/** Numbers of 4 bits from 1 to 15, and so as many below as above 8, which stands for nothing; of 8 bits any. */
function fillCodes(bytes: Uint8Array, bits: 4 | 8): void {
  randomFillSync(bytes, 0, Math.min(bytes.length, PIECE));
  const own = bytes.subarray(0, Math.min(bytes.length, PIECE));
  if (bits === 4)
    for (let i = 0; i < own.length; i++) {
      const byte = own[i] as number;
      own[i] = byte | ((byte & 15) === 0 ? 8 : 0) | (byte >> 4 === 0 ? 128 : 0);
    }
  // From a place that is no multiple of a row: rows are not each other's.
  for (let at = PIECE; at < bytes.length; at += PIECE - 5)
    bytes.set(own.subarray(0, Math.min(own.length, bytes.length - at)), at);
}

/** Writes tensors of bf16: norms of ones, others small numbers of either sign. */
async function writeKept(path: string, header: Uint8Array, tensors: readonly KeptTensor[]): Promise<string> {
  await using file = await open(path, "wx");
  const hash = createHash("sha256").update(header);
  await file.write(header);
  const random = randomHalves();
  let turn = 0;
  for (const { name, shape } of tensors) {
    const byteCount = 2 * shape.reduce((product, size) => product * size, 1);
    const ones = /norm\.weight$/.test(name)
      ? new Uint8Array(new Uint16Array(byteCount / 2).fill(0x3f80).buffer)
      : undefined;
    for (let done = 0; done < byteCount; ) {
      const start = ones === undefined ? 2 * ((turn++ * 7919) % 4096) : done;
      const piece = (ones ?? random).subarray(start, start + Math.min(byteCount - done, PIECE - 8192));
      hash.update(piece);
      await file.write(piece);
      done += piece.length;
    }
  }
  return hash.digest("hex");
}

function randomHalves(): Uint8Array {
  const bytes = new Uint8Array(PIECE);
  randomFillSync(bytes);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = ((words[i] as number) & 0x80ff80ff) | 0x3c003c00;
  return bytes;
}

const PREFIX = "language_model.";

function keptTensors(shape: MadeShape): KeptTensor[] {
  return releasedTensors(shape).filter(({ name }) => /norm|router|embed_tokens|lm_head/.test(name));
}

/** All tensors of a released checkpoint of text, in bf16. */
export function releasedTensors({ model, layers, isTiny }: MadeShape): KeptTensor[] {
  const {
    hiddenSize: d,
    vocabSize,
    expertCount: e,
    expertWidth: f,
    headCount,
    kvHeadCount,
    headDim,
    denseWidth,
    moeLayers,
  } = shapeConfig(model, layers, isTiny);
  const all: KeptTensor[] = [];
  const add = (name: string, ...shape: number[]) => all.push({ name: PREFIX + name, dtype: "BF16", shape });
  for (let layer = 0; layer < layers; layer++) {
    const path = `model.layers.${layer}`;
    for (const norm of ["input_layernorm", "post_attention_layernorm"]) add(`${path}.${norm}.weight`, d);
    for (const [name, heads] of [
      ["q", headCount],
      ["k", kvHeadCount],
      ["v", kvHeadCount],
    ] as const)
      add(`${path}.self_attn.${name}_proj.weight`, heads * headDim, d);
    add(`${path}.self_attn.o_proj.weight`, d, headCount * headDim);
    const isDense = !moeLayers.includes(layer);
    const [mlp, width] = isDense ? ["feed_forward", denseWidth] : ["feed_forward.shared_expert", f];
    for (const name of ["gate", "up"]) add(`${path}.${mlp}.${name}_proj.weight`, width, d);
    add(`${path}.${mlp}.down_proj.weight`, d, width);
    if (isDense) continue;
    add(`${path}.feed_forward.router.weight`, e, d);
    add(`${path}.feed_forward.experts.gate_up_proj`, e, d, 2 * f);
    add(`${path}.feed_forward.experts.down_proj`, e, f, d);
  }
  add("model.norm.weight", d);
  add("model.embed_tokens.weight", vocabSize, d);
  add("lm_head.weight", vocabSize, d);
  return all;
}

function headerOf(tensors: readonly KeptTensor[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const begin = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const header = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - 8));
  text.copy(header, 8);
  return header;
}

/** The index of a checkpoint in several files. */
export async function writeIndex(
  folder: string,
  files: readonly Readonly<{ file: string; tensors: readonly Readonly<{ name: string }>[] }>[],
): Promise<void> {
  const map = Object.fromEntries(files.flatMap(({ file, tensors }) => tensors.map(({ name }) => [name, file])));
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
}

/** A new folder with config.json, to which `more` is added, and nano's tokenizer with made-up tokens behind its own up to the vocabulary's size. */
export async function writeModelFiles(folder: string, { model, layers, isTiny }: MadeShape, more = {}): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const config = shapeConfig(model, layers, isTiny);
  const text = {
    model_type: "llama4_text",
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.expertWidth,
    intermediate_size_mlp: config.denseWidth,
    num_hidden_layers: layers,
    num_attention_heads: config.headCount,
    num_key_value_heads: config.kvHeadCount,
    head_dim: config.headDim,
    num_local_experts: config.expertCount,
    num_experts_per_tok: 1,
    interleave_moe_layer_step: model === "scout" ? 1 : 2,
    no_rope_layer_interval: 4,
    attention_chunk_size: config.chunkSize,
    max_position_embeddings: config.maxPositionEmbeddings,
    rms_norm_eps: config.rmsNormEps,
    use_qk_norm: config.useQkNorm,
    rope_theta: config.ropeTheta,
    bos_token_id: 4077,
    eos_token_id: [4078, 4084, 4085],
    dtype: "bfloat16",
    ...more,
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(text));
  for (const file of [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
  ])
    await copyFile(join(TOKENIZER, file), join(folder, file));
  const tokenizer = JSON.parse(await readFile(join(TOKENIZER, "tokenizer.json"), "utf8"));
  const known = Math.max(
    ...Object.values<number>(tokenizer.model.vocab),
    ...tokenizer.added_tokens.map((one: { id: number }) => one.id),
  );
  for (let id = known + 1; id < config.vocabSize; id++) tokenizer.model.vocab[`made${id}`] = id;
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
}
