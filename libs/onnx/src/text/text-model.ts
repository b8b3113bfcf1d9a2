import type { ModelConfig } from "@drover/checkpoint";
import {
  assert,
  type EntryResult,
  type ExpertExchange,
  type KvDtype,
  type KvSequence,
  type KvUse,
  type ModelRunner,
  type SequencePrompt,
  type StepEntry,
  type StepTimes,
} from "@drover/core";
import { type KvCache, type KvGeometry, kvGeometry, servedModelSeed } from "@drover/kv";
import { Attention } from "../attention/attention.ts";
import { DecodeAttention, type DecodeRow } from "../attention/decode-attention.ts";
import { askStripes, mergeStripes, type StripedAttention, type StripedRows } from "../attention/striped-attention.ts";
import { StoredSequences, stored } from "../kv/stored-sequences.ts";
import { type Feeds, f32, i64 } from "../session.ts";
import type { EmbeddingTable, ModelWeights } from "../weights/model-weights.ts";
import { readHead } from "./head.ts";
import { graphDims, type LayerStages, loadTextStages, type TextStages } from "./layers.ts";
import { slices } from "./slices.ts";
import { dropParked, layOut, positionsOf, type StepLayout, temperaturesOf } from "./step-layout.ts";
import type { TextModelOptions } from "./text-model-options.ts";

/** Llama 4's text model in this process: everything but the routed experts. */
export class TextModel implements ModelRunner, Disposable {
  readonly config: ModelConfig;
  readonly kvDtype: KvDtype;
  readonly geometry: KvGeometry;
  readonly kvBytesMax: number;
  readonly sharesPrefixes: boolean;
  readonly times: StepTimes = { sessionMs: 0, exchangeMs: 0, totalMs: 0 };
  readonly #stages: TextStages;
  readonly #attention: Attention;
  readonly #decodeAttention: DecodeAttention;
  readonly #embedding: EmbeddingTable;
  readonly #globalLayers: readonly number[];
  /** What the rows of sequences are and what is cached of them. */
  readonly cache: KvCache;
  readonly #sequences: StoredSequences;

  private constructor(config: ModelConfig, stages: TextStages, embedding: EmbeddingTable, options: TextModelOptions) {
    this.config = config;
    this.kvDtype = options.kvDtype ?? "f32";
    this.geometry = kvGeometry(config, this.kvDtype);
    this.#stages = stages;
    this.#attention = new Attention(graphDims(config), this.kvDtype, options);
    this.#decodeAttention = new DecodeAttention(graphDims(config), this.kvDtype, this.#attention, options);
    this.#embedding = embedding;
    this.#globalLayers = config.isGlobalLayer.flatMap((isGlobal, layer) => (isGlobal ? [layer] : []));
    const { kvBytesMax, prefixCache = true, hashSeed = servedModelSeed("", ""), stripes } = options;
    this.kvBytesMax = kvBytesMax;
    this.sharesPrefixes = prefixCache;
    const shape = { ...config, kvDtype: this.kvDtype };
    this.#sequences = new StoredSequences(this.geometry, shape, {
      kvBytesMax,
      prefixCache,
      hashSeed,
      stripes,
    });
    this.cache = this.#sequences.cache;
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
    return this.kvUse.global.referenced + this.kvUse.local.referenced;
  }

  get kvUse(): Readonly<{ global: KvUse; local: KvUse }> {
    return this.#sequences.use;
  }

  isStriped(rowCount: number): boolean {
    return this.#sequences.isStriped(rowCount);
  }

  /** Open sequences of which context workers hold a part. */
  get stripedCount(): number {
    return this.#sequences.stripedCount;
  }

  get stripedRowsFree(): number {
    return this.#sequences.stripedRowsFree;
  }

  get stripedRowsMax(): number {
    return this.#sequences.stripedRowsMax;
  }

  openSequence(prompt?: SequencePrompt): KvSequence {
    return this.#sequences.open(prompt);
  }

  bytesNeeded(sequence: KvSequence, rowCount: number): number {
    return this.#sequences.bytesNeeded(stored(sequence), rowCount);
  }

  reserve(sequence: KvSequence, rowCount: number): boolean {
    return this.#sequences.reserve(stored(sequence), rowCount);
  }

  commit(sequence: KvSequence, rowCount: number): void {
    this.#sequences.commit(stored(sequence), rowCount);
  }

  repair(sequence: KvSequence): KvSequence | undefined {
    return this.#sequences.repair(stored(sequence));
  }

  close(sequence: KvSequence): void {
    this.#sequences.close(stored(sequence));
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
    await this.#sequences.sent(entries);
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
      let attended = this.#attend(layer, qkv, layout, exchange);
      if ("asked" in attended) {
        ({ layout, attended, x } = await mergeStripes(attended, layout, x, this.config));
        if (layout.rowCount === 0) break;
      }
      const dims = [layout.rowCount, this.config.headCount * this.config.headDim];
      let feeds: Feeds = { attended: f32(attended, dims), x: this.#rows(x, layout) };
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

  /** The rows' attention; where holders have a part of it, this worker's part and what was asked of them. */
  #attend(
    layer: number,
    qkv: readonly Float32Array[],
    layout: StepLayout,
    { traceCall }: ExpertExchange,
  ): Float32Array | StripedAttention {
    const began = performance.now();
    const [q, k, v] = qkv;
    assert(q !== undefined && k !== undefined && v !== undefined, "a layer has queries, keys and values");
    const attended = new Float32Array(q.length);
    const striped = this.#striped(layer, layout);
    const index = this.#globalLayers.indexOf(layer);
    const asked = striped.length > 0 ? askStripes(index, striped, q, this.config, traceCall) : undefined;
    const lse_aN = new Float32Array(asked === undefined ? 0 : layout.rowCount * this.config.headCount);
    const decoding: DecodeRow[] = [];
    for (const part of layout.parts) {
      const { entry, offset, rowCount } = part;
      const sequence = stored(entry.sequence);
      sequence.append(layer, k, v, offset, rowCount);
      if (striped.some((rows) => rows.part === part))
        this.#attention.attendOwn(sequence, layer, q, attended, lse_aN, offset, rowCount);
      else if (rowCount > 1) this.#attention.attend(sequence, layer, q, attended, offset, rowCount);
      else decoding.push({ row: offset, runs: sequence.runsAt(layer, sequence.length) });
    }
    this.#decodeAttention.attend(decoding, q, attended);
    this.times.sessionMs += performance.now() - began;
    return asked === undefined ? attended : { asked, own_aH: attended, lse_aN };
  }

  /** The parts of a step that attend to what holders have. */
  #striped(layer: number, layout: StepLayout): readonly StripedRows[] {
    if (this.#sequences.stripedCount === 0 || !this.config.isGlobalLayer[layer]) return [];
    return layout.parts
      .map((part) => ({ part, sequence: stored(part.entry.sequence) }))
      .filter(({ sequence }) => sequence.remoteEnd > 0);
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
