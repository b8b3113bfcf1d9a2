import type { ModelConfig } from "@drover/checkpoint";
import {
  assert,
  type ExpertExchange,
  type PendingStep,
  type Step,
  type StepResult,
  type StepRunner,
  type TraceCall,
} from "@drover/core";
import { Attention } from "../attention/attention.ts";
import { DecodeAttention, type DecodeRow } from "../attention/decode-attention.ts";
import { type RowsContext, rowsContext } from "../attention/sequence-rows.ts";
import { askStripes, mergeStripes, type StripedAttention } from "../attention/striped-attention.ts";
import { type Feeds, f32, i64 } from "../session.ts";
import type { EmbeddingTable, ModelWeights } from "../weights/model-weights.ts";
import { readHead } from "./head.ts";
import { type LayerStages, loadTextStages, type TextStages } from "./layers.ts";
import { slices } from "./slices.ts";
import { dropParked, layOut, positionsOf, type StepLayout, type StepPart, temperaturesOf } from "./step-layout.ts";
import type { TextModelOptions } from "./text-model-options.ts";

/** Llama 4's text model in this process: everything but the routed experts. */
export class TextModel implements StepRunner, Disposable {
  readonly config: ModelConfig;
  readonly #exchange: ExpertExchange;
  /** Of the step under way. */
  readonly #times = { computeMs: 0, exchangeMs: 0 };
  readonly #stages: TextStages;
  readonly #attention: Attention;
  readonly #decodeAttention: DecodeAttention;
  readonly #embedding: EmbeddingTable;
  readonly #globalLayers: readonly number[];
  readonly #rowsContext: RowsContext;

  private constructor(config: ModelConfig, stages: TextStages, embedding: EmbeddingTable, options: TextModelOptions) {
    this.config = config;
    const { storage, exchange } = options;
    this.#stages = stages;
    this.#attention = new Attention(config, storage.dtype, options);
    this.#decodeAttention = new DecodeAttention(config, storage.dtype, this.#attention, options);
    this.#embedding = embedding;
    this.#globalLayers = config.isGlobalLayer.flatMap((isGlobal, layer) => (isGlobal ? [layer] : []));
    this.#exchange = exchange;
    this.#rowsContext = rowsContext(storage.geometry, storage);
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

  get usable(): boolean {
    return this.#exchange.usable;
  }

  submit(step: Step): PendingStep {
    const result = this.#compute(step);
    return { result: () => result };
  }

  async #compute({ entries, traceCall }: Step): Promise<StepResult> {
    const began = performance.now();
    this.#times.computeMs = 0;
    this.#times.exchangeMs = 0;
    let layout = layOut(entries, this.config.moeLayers.length, this.#rowsContext);
    let x: Float32Array = new Float32Array(layout.rowCount * this.config.hiddenSize);
    for (const { entry, offset } of layout.parts) {
      this.#embedding.gather(entry.tokenIds, x, offset);
      for (const { row, rows_aD } of entry.embeddings) x.set(rows_aD, (offset + row) * this.config.hiddenSize);
    }
    let qkv = this.#cut(
      this.#run(this.#stages.enter, { x: this.#rows(x, layout), ...this.#positions(0, layout) }),
      layout,
      this.#qkvWidths,
    );
    for (const [layer, stages] of this.#stages.layers.entries()) {
      let attended = this.#attend(layer, qkv, layout, traceCall);
      if ("asked" in attended) {
        ({ layout, attended, x } = await mergeStripes(attended, layout, x, this.config));
        if (layout.rowCount === 0) break;
      }
      const dims = [layout.rowCount, this.config.headCount * this.config.headDim];
      let feeds: Feeds = { attended: f32(attended, dims), x: this.#rows(x, layout) };
      if (stages.kind === "moe") {
        const moe = await this.#mixture(stages, feeds, layer, layout, traceCall);
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
    const results = readHead(this.#stages.head, x, layout, entries, this.config.hiddenSize, this.config.vocabSize);
    return { entries: results, times: { ...this.#times, totalMs: performance.now() - began } };
  }

  #run(session: LayerSession, feeds: Feeds): Float32Array {
    const began = performance.now();
    const out = session.runFlat(feeds);
    this.#times.computeMs += performance.now() - began;
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
    traceCall: TraceCall | undefined,
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
      const { rows, offset, rowCount } = part;
      rows.append(layer, k, v, offset, rowCount);
      if (striped.includes(part)) this.#attention.attend(rows, layer, q, attended, offset, rowCount, lse_aN);
      else if (rowCount > 1) this.#attention.attend(rows, layer, q, attended, offset, rowCount);
      else decoding.push({ row: offset, runs: rows.runsAt(layer, rows.first) });
    }
    this.#decodeAttention.attend(decoding, q, attended);
    this.#times.computeMs += performance.now() - began;
    return asked === undefined ? attended : { asked, own_aH: attended, lse_aN };
  }

  /** The parts of a step that attend to what holders have. */
  #striped(layer: number, layout: StepLayout): readonly StepPart[] {
    if (!this.config.isGlobalLayer[layer]) return [];
    return layout.parts.filter(({ rows }) => rows.remoteEnd > 0);
  }

  async #mixture(
    stages: Extract<LayerStages, { kind: "moe" }>,
    attended: Feeds,
    layer: number,
    layout: StepLayout,
    traceCall: TraceCall | undefined,
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
    const pending = this.#exchange.exchange({ layer, z_aD, expert_a, rowCount: layout.rowCount, traceCall });
    this.#times.exchangeMs += performance.now() - called;
    const shared =
      stages.shared === null ? h : this.#run(stages.shared, { h: this.#rows(h, layout), n: this.#rows(n, layout) });
    const waited = performance.now();
    const { y_aD, missing } = await pending;
    this.#times.exchangeMs += performance.now() - waited;
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
