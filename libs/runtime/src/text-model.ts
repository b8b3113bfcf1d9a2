import { type ModelConfig, queryTemperature } from "@drover/checkpoint";
import {
  assert,
  type EntryResult,
  type ExpertExchange,
  type KvSequence,
  type KvUse,
  type ModelRunner,
  type SequencePrompt,
  type StepEntry,
  type StepTimes,
} from "@drover/core";
import { BlockHashes, KvCache, type KvGeometry, kvGeometry } from "@drover/kv";
import { Attention } from "./attention.ts";
import { DecodeAttention, type DecodeRow } from "./decode-attention.ts";
import { ExtentStore } from "./extent-store.ts";
import { readHead } from "./head.ts";
import { graphDims, type LayerStages, loadTextStages, type TextStages } from "./layers.ts";
import type { EmbeddingTable, ModelWeights } from "./model-weights.ts";
import { hashesOf } from "./prompt-hashes.ts";
import { type Feeds, f32, i64, type SessionOptions } from "./session.ts";
import { slices } from "./slices.ts";
import { dropParked, layOut, type StepLayout } from "./step-layout.ts";
import { layersByKind, StoredSequence } from "./stored-sequence.ts";

export type TextModelOptions = SessionOptions &
  Readonly<{
    kvBytesMax: number;
    /** Whether the rows of sequences that have ended may serve others. Default true. */
    prefixCache?: boolean;
    /** Names weights and number type, as the chains that routers send begin with. */
    modelFingerprint?: string;
    /** Whether experts answer from other processes: the shared expert then runs while they do. Else it is part of the gate's run. Default true. */
    remoteExperts?: boolean;
    onLayer?: (done: number, total: number) => void;
  }>;

/** Llama 4's text model in this process: everything but the routed experts. */
export class TextModel implements ModelRunner, Disposable {
  readonly config: ModelConfig;
  readonly geometry: KvGeometry;
  readonly kvBytesMax: number;
  readonly sharesPrefixes: boolean;
  readonly times: StepTimes = { sessionMs: 0, exchangeMs: 0, totalMs: 0 };
  readonly #stages: TextStages;
  readonly #attention: Attention;
  readonly #decodeAttention: DecodeAttention;
  readonly #embedding: EmbeddingTable;
  /** What the rows of sequences are and what is cached of them. */
  readonly cache: KvCache;
  readonly #store: ExtentStore;
  readonly #layersByKind: ReturnType<typeof layersByKind>;
  readonly #modelFingerprint: string;

  private constructor(config: ModelConfig, stages: TextStages, embedding: EmbeddingTable, options: TextModelOptions) {
    this.config = config;
    this.geometry = kvGeometry(config, Float32Array.BYTES_PER_ELEMENT);
    this.#stages = stages;
    this.#attention = new Attention(graphDims(config), options);
    this.#decodeAttention = new DecodeAttention(graphDims(config), this.#attention, options);
    this.#embedding = embedding;
    this.#store = new ExtentStore(this.geometry, config);
    const { kvBytesMax, prefixCache = true, modelFingerprint = "" } = options;
    this.kvBytesMax = kvBytesMax;
    this.sharesPrefixes = prefixCache;
    this.cache = new KvCache(this.geometry, this.#store, { bytesMax: kvBytesMax, prefixCache });
    this.#layersByKind = layersByKind(this.geometry);
    this.#modelFingerprint = modelFingerprint;
  }

  /** Loads the weights and compiles every stage. Errors: the checkpoint's, naming file and tensor. */
  static async load(config: ModelConfig, weights: ModelWeights, options: TextModelOptions): Promise<TextModel> {
    const stages = await loadTextStages(
      config,
      weights,
      options.remoteExperts ?? true,
      options,
      options.onLayer ?? (() => undefined),
    );
    return new TextModel(config, stages, await weights.embedding(), options);
  }

  get hiddenSize(): number {
    return this.config.hiddenSize;
  }

  get kvBytesUsed(): number {
    const { global, local } = this.kvUse;
    return global.referenced + local.referenced;
  }

  get kvUse(): Readonly<{ global: KvUse; local: KvUse }> {
    return { global: this.cache.bytes("global"), local: this.cache.bytes("local") };
  }

  openSequence(prompt?: SequencePrompt): KvSequence {
    const seed = { modelFingerprint: this.#modelFingerprint, salt: "" };
    const hashes = prompt === undefined ? new BlockHashes(seed) : hashesOf(prompt, seed);
    // Without a prompt the chain stays empty until rows are committed; they are not kept, so nothing finds them.
    const promptLength = prompt?.tokenIds.length ?? 1;
    const handle = this.cache.open(hashes, { promptLength, reuse: prompt?.reuse ?? false });
    return new StoredSequence(handle, prompt !== undefined, this.cache, this.#store, this.#layersByKind);
  }

  bytesNeeded(sequence: KvSequence, rowCount: number): number {
    return this.cache.bytesNeeded(stored(sequence).handle, rowCount);
  }

  reserve(sequence: KvSequence, rowCount: number): boolean {
    return this.cache.reserve(stored(sequence).handle, rowCount);
  }

  commit(sequence: KvSequence, rowCount: number): void {
    stored(sequence).commit(rowCount);
  }

  close(sequence: KvSequence): void {
    const { handle, keep } = stored(sequence);
    this.cache.close(handle, keep);
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
      stored(entry.sequence).begin(entry.tokenIds);
      this.#embedding.gather(entry.tokenIds, x, offset);
      for (const { row, rows_aD } of entry.embeddings) x.set(rows_aD, (offset + row) * this.config.hiddenSize);
    }
    let qkv = this.#cut(
      this.#run(this.#stages.enter, { x: this.#rows(x, layout), ...this.#positions(0, layout) }),
      layout,
      this.#qkvWidths,
    );
    for (const [layer, stages] of this.#stages.layers.entries()) {
      let feeds: Feeds = { attended: this.#attend(layer, qkv, layout), x: this.#rows(x, layout) };
      if (stages.kind === "moe") {
        const moe = await this.#mixture(stages, feeds, layer, layout, exchange, signal);
        layout = moe.layout;
        if (layout.rowCount === 0) break;
        feeds = moe.feeds;
      }
      const last = stages.kind === "dense" ? stages.dense : stages.combine;
      const out = this.#run(last, { ...feeds, ...this.#positions(layer + 1, layout) });
      [x = x, ...qkv] = this.#cut(out, layout, [
        this.config.hiddenSize,
        ...(layer + 1 < this.config.layerCount ? this.#qkvWidths : []),
      ]);
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

  #run(session: LayerSession, feeds: Feeds): Float32Array {
    const began = performance.now();
    const out = session.runFlat(feeds);
    this.times.sessionMs += performance.now() - began;
    return out;
  }

  #cut(flat: Float32Array, layout: StepLayout, widths: readonly number[]): Float32Array[] {
    return slices(flat, layout.rowCount, widths);
  }

  /** Of a layer's queries, keys and values. */
  get #qkvWidths(): readonly number[] {
    const { headCount, kvHeadCount, headDim } = this.config;
    return [headCount * headDim, kvHeadCount * headDim, kvHeadCount * headDim];
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

  #attend(layer: number, qkv: readonly Float32Array[], layout: StepLayout) {
    const began = performance.now();
    const [q, k, v] = qkv;
    assert(q !== undefined && k !== undefined && v !== undefined, "a layer has queries, keys and values");
    const attended = new Float32Array(q.length);
    const decoding: DecodeRow[] = [];
    for (const { entry, offset, rowCount } of layout.parts) {
      const sequence = stored(entry.sequence);
      sequence.append(layer, k, v, offset, rowCount);
      if (rowCount > 1) this.#attention.attend(sequence, layer, q, attended, offset, rowCount);
      else decoding.push({ row: offset, runs: sequence.runsAt(layer, sequence.length) });
    }
    this.#decodeAttention.attend(decoding, q, attended);
    this.times.sessionMs += performance.now() - began;
    return f32(attended, [layout.rowCount, q.length / layout.rowCount]);
  }

  async #mixture(
    stages: Extract<LayerStages, { kind: "moe" }>,
    attended: Feeds,
    layer: number,
    layout: StepLayout,
    exchange: ExpertExchange,
    signal: AbortSignal,
  ): Promise<{ layout: StepLayout; feeds: Feeds }> {
    const width = this.config.hiddenSize;
    const gate = this.#run(stages.gate, attended);
    const [z_aD = gate, expert = gate, h = gate, n = gate] = slices(
      gate,
      layout.rowCount,
      stages.shared === null ? [width, 1, width] : [width, 1, width, width],
    );
    const expert_a = Int32Array.from(expert);
    // Experts of this process are computed inside the call, others while the shared expert runs.
    const called = performance.now();
    const pending = exchange.exchange({ layer, z_aD, expert_a, rowCount: layout.rowCount }, signal);
    this.times.exchangeMs += performance.now() - called;
    const shared =
      stages.shared === null ? h : this.#run(stages.shared, { h: this.#rows(h, layout), n: this.#rows(n, layout) });
    const waited = performance.now();
    const { y_aD, missing } = await pending;
    this.times.exchangeMs += performance.now() - waited;
    for (let row = 0; row < layout.rowCount; row++)
      layout.experts[row * layout.moeCount + stages.moeIndex] = expert_a[row] ?? 0;
    const kept = dropParked(layout, missing, [shared, y_aD], width);
    const [s = y_aD, routed = y_aD] = kept.buffers;
    return { layout: kept.layout, feeds: { s: this.#rows(s, kept.layout), routed: this.#rows(routed, kept.layout) } };
  }

  [Symbol.dispose](): void {
    this.#attention[Symbol.dispose]();
    this.#decodeAttention[Symbol.dispose]();
    for (const session of [this.#stages.enter, this.#stages.head]) session[Symbol.dispose]();
    for (const stages of this.#stages.layers) {
      for (const session of stages.kind === "dense" ? [stages.dense] : [stages.gate, stages.shared, stages.combine])
        session?.[Symbol.dispose]();
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
