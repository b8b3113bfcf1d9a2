import { type ModelConfig, queryTemperature } from "@drover/checkpoint";
import {
  assert,
  type EntryResult,
  type ExpertExchange,
  type KvSequence,
  type ModelRunner,
  type StepEntry,
  type StepTimes,
} from "@drover/core";
import { type KvGeometry, kvGeometry, segmentRowsOf } from "@drover/kv";
import { Attention } from "./attention.ts";
import { DecodeAttention, type DecodeRow } from "./decode-attention.ts";
import { readHead } from "./head.ts";
import { KvPool } from "./kv-pool.ts";
import { StoredSequence } from "./kv-storage.ts";
import { graphDims, type LayerStages, loadTextStages, type TextStages } from "./layers.ts";
import type { EmbeddingTable, ModelWeights } from "./model-weights.ts";
import { type Feeds, type Fetches, f32, f32Of, i64, type SessionOptions } from "./session.ts";
import { dropParked, layOut, type StepLayout, type StepPart } from "./step-layout.ts";

export type TextModelOptions = SessionOptions &
  Readonly<{ kvBytesMax: number; onLayer?: (done: number, total: number) => void }>;

/** Llama 4's text model in this process: everything but the routed experts. */
export class TextModel implements ModelRunner, Disposable {
  readonly config: ModelConfig;
  readonly geometry: KvGeometry;
  readonly times: StepTimes = { sessionMs: 0, exchangeMs: 0, totalMs: 0 };
  readonly #stages: TextStages;
  readonly #attention: Attention;
  readonly #decodeAttention: DecodeAttention;
  readonly #embedding: EmbeddingTable;
  readonly #pool: KvPool;

  private constructor(config: ModelConfig, stages: TextStages, embedding: EmbeddingTable, options: TextModelOptions) {
    this.config = config;
    this.geometry = kvGeometry(config, Float32Array.BYTES_PER_ELEMENT);
    this.#stages = stages;
    this.#attention = new Attention(graphDims(config), options);
    this.#decodeAttention = new DecodeAttention(graphDims(config), options);
    this.#embedding = embedding;
    this.#pool = new KvPool(options.kvBytesMax);
  }

  /** Loads the weights and compiles every stage. Errors: the checkpoint's, naming file and tensor. */
  static async load(config: ModelConfig, weights: ModelWeights, options: TextModelOptions): Promise<TextModel> {
    const stages = await loadTextStages(config, weights, options, options.onLayer ?? (() => undefined));
    return new TextModel(config, stages, await weights.embedding(), options);
  }

  get hiddenSize(): number {
    return this.config.hiddenSize;
  }

  get kvBytesUsed(): number {
    return this.#pool.bytesUsed;
  }

  get kvBytesMax(): number {
    return this.#pool.bytesMax;
  }

  openSequence(): KvSequence {
    return new StoredSequence(this.#pool, this.geometry, this.config);
  }

  reserve(sequence: KvSequence, rowCount: number): boolean {
    return stored(sequence).reserve(rowCount);
  }

  commit(sequence: KvSequence, rowCount: number): void {
    stored(sequence).commit(rowCount);
  }

  close(sequence: KvSequence): void {
    stored(sequence).close();
  }

  async step(
    entries: readonly StepEntry[],
    topCount: number,
    exchange: ExpertExchange,
    signal: AbortSignal,
  ): Promise<readonly EntryResult[]> {
    const began = performance.now();
    this.times.sessionMs = 0;
    this.times.exchangeMs = 0;
    let layout = layOut(entries, this.config.moeLayers.length);
    let x: Float32Array = new Float32Array(layout.rowCount * this.config.hiddenSize);
    for (const { entry, offset } of layout.parts) {
      this.#embedding.gather(entry.tokenIds, x, offset);
      for (const { row, rows_aD } of entry.embeddings) x.set(rows_aD, (offset + row) * this.config.hiddenSize);
    }
    let qkv = this.#run(this.#stages.enter, { x: this.#rows(x, layout), ...this.#positions(0, layout) });
    for (const [layer, stages] of this.#stages.layers.entries()) {
      const attended = this.#attend(layer, qkv, layout);
      if (stages.kind === "dense") {
        qkv = this.#run(stages.dense, { attended, x: this.#rows(x, layout), ...this.#positions(layer + 1, layout) });
        x = f32Of(qkv, "y");
        continue;
      }
      const moe = await this.#mixture(stages, attended, this.#rows(x, layout), layer, layout, exchange, signal);
      layout = moe.layout;
      if (layout.rowCount === 0) break;
      qkv = this.#run(stages.combine, { ...moe.feeds, ...this.#positions(layer + 1, layout) });
      x = f32Of(qkv, "y");
    }
    const results = readHead(
      this.#stages.head,
      x,
      layout,
      entries,
      topCount,
      this.config.hiddenSize,
      this.config.vocabSize,
    );
    this.times.totalMs = performance.now() - began;
    return results;
  }

  #run(session: LayerSession, feeds: Feeds): Fetches {
    const began = performance.now();
    const out = session.run(feeds);
    this.times.sessionMs += performance.now() - began;
    return out;
  }

  #rows(x: Float32Array, layout: StepLayout) {
    return f32(x, [layout.rowCount, this.config.hiddenSize]);
  }

  /** What the next layer's attention asks for: positions modulo the chunk, or the query's temperature; nothing after the last layer. */
  #positions(layer: number, layout: StepLayout): Feeds {
    if (layer >= this.config.layerCount) return {};
    if (!this.config.isGlobalLayer[layer]) {
      layout.positions ??= positionsOf(layout, this.config.chunkSize);
      return { position: i64(layout.positions, [layout.rowCount, 1]) };
    }
    layout.temperatures ??= temperaturesOf(layout, this.config);
    return { temperature: f32(layout.temperatures, [layout.rowCount, 1]) };
  }

  #attend(layer: number, qkv: Fetches, layout: StepLayout) {
    const began = performance.now();
    const q = f32Of(qkv, "q");
    const k = f32Of(qkv, "k");
    const v = f32Of(qkv, "v");
    const attended = new Float32Array(q.length);
    const isGlobal = this.config.isGlobalLayer[layer] ?? false;
    const rows = segmentRowsOf(this.geometry, isGlobal);
    const decoding: DecodeRow[] = [];
    const attend = (part: StepPart) =>
      this.#attention.attend(
        stored(part.entry.sequence),
        layer,
        isGlobal,
        rows,
        q,
        attended,
        part.offset,
        part.rowCount,
      );
    for (const part of layout.parts) {
      const sequence = stored(part.entry.sequence);
      sequence.append(layer, k, v, part.offset, part.rowCount);
      const segment = Math.floor(sequence.length / rows) * rows;
      if (part.rowCount > 1 || (isGlobal && segment > 0)) attend(part);
      else decoding.push({ part, row: part.offset, views: sequence.views(layer, segment, sequence.length + 1) });
    }
    for (const { part } of this.#decodeAttention.attend(decoding, q, attended)) attend(part);
    this.times.sessionMs += performance.now() - began;
    return f32(attended, [layout.rowCount, q.length / layout.rowCount]);
  }

  async #mixture(
    stages: Extract<LayerStages, { kind: "moe" }>,
    attended: ReturnType<typeof f32>,
    x: ReturnType<typeof f32>,
    layer: number,
    layout: StepLayout,
    exchange: ExpertExchange,
    signal: AbortSignal,
  ): Promise<{ layout: StepLayout; feeds: Feeds }> {
    const gate = this.#run(stages.gate, { attended, x });
    const expert_a = gate.expert?.data;
    assert(expert_a instanceof Int32Array, "a gate names experts as i32");
    // Experts of this process are computed inside the call, others while the shared expert runs.
    const called = performance.now();
    const pending = exchange.exchange({ layer, z_aD: f32Of(gate, "z"), expert_a, rowCount: layout.rowCount }, signal);
    this.times.exchangeMs += performance.now() - called;
    const h = gate.h;
    const n = gate.n;
    assert(h !== undefined && n !== undefined, "a gate returns its residual and its input");
    const shared = this.#run(stages.shared, { h, n });
    const waited = performance.now();
    const { y_aD, missing } = await pending;
    this.times.exchangeMs += performance.now() - waited;
    for (let row = 0; row < layout.rowCount; row++)
      layout.experts[row * layout.moeCount + stages.moeIndex] = expert_a[row] ?? 0;
    const kept = dropParked(layout, missing, [f32Of(shared, "s"), y_aD], this.config.hiddenSize);
    const [s = y_aD, routed = y_aD] = kept.buffers;
    return { layout: kept.layout, feeds: { s: this.#rows(s, kept.layout), routed: this.#rows(routed, kept.layout) } };
  }

  [Symbol.dispose](): void {
    this.#attention[Symbol.dispose]();
    this.#decodeAttention[Symbol.dispose]();
    for (const session of [this.#stages.enter, this.#stages.head]) session[Symbol.dispose]();
    for (const stages of this.#stages.layers) {
      for (const session of stages.kind === "dense" ? [stages.dense] : [stages.gate, stages.shared, stages.combine])
        session[Symbol.dispose]();
    }
  }
}

type LayerSession = TextStages["enter"];

function stored(sequence: KvSequence): StoredSequence {
  assert(sequence instanceof StoredSequence, "a sequence is stored where it was opened");
  return sequence;
}

function positionsOf(layout: StepLayout, chunkSize: number): BigInt64Array {
  const out = new BigInt64Array(layout.rowCount);
  for (const { entry, offset, rowCount } of layout.parts) {
    for (let i = 0; i < rowCount; i++) out[offset + i] = BigInt((entry.sequence.length + i) % chunkSize);
  }
  return out;
}

function temperaturesOf(layout: StepLayout, config: ModelConfig): Float32Array {
  const out = new Float32Array(layout.rowCount);
  for (const { entry, offset, rowCount } of layout.parts) {
    for (let i = 0; i < rowCount; i++) out[offset + i] = queryTemperature(config, entry.sequence.length + i);
  }
  return out;
}
