import { assert, at, type Step, type StepResult } from "@drover/core";
import { askStripes } from "@drover/sequences";
import type { CachedRow } from "../attention/cached-attention.ts";
import type { DecodeRow } from "../attention/decode-attention.ts";
import { mergeStripes, type StripedAttention, stripedRows } from "../attention/striped-attention.ts";
import { IN_PLACE_ROWS_MAX } from "../limits.ts";
import { type Feeds, f32, i64, type Session } from "../session.ts";
import { readHead } from "./head.ts";
import type { LayerStages, MoeStages } from "./layers.ts";
import { slices } from "./slices.ts";
import { dropParked, positionsOf, type StepLayout, type StepPart, temperaturesOf } from "./step-layout.ts";
import type { TextParts } from "./text-parts.ts";

/** What a layer begins with: its input x [a, D], and of it the queries [a, Q], keys and values [a, K*d]. After the last layer there are none. */
type LayerInput = Readonly<{ x_aD: Float32Array; qkv: QueryKeyValue | undefined }>;
type QueryKeyValue = readonly [q_aQ: Float32Array, k_aKd: Float32Array, v_aKd: Float32Array];

/** One step on its way through the model. Sequences that miss a reply leave it, and with them their rows. */
export class TextStep {
  readonly #parts: TextParts;
  readonly #step: Step;
  readonly #beganMs = performance.now();
  #layout: StepLayout;
  #computeMs = 0;
  #exchangeMs = 0;

  constructor(parts: TextParts, step: Step, layout: StepLayout) {
    this.#parts = parts;
    this.#step = step;
    this.#layout = layout;
  }

  /** Embedding, layers, head. */
  async run(): Promise<StepResult> {
    const { config, stages } = this.#parts;
    let input = this.#enter();
    for (const [layer, layerStages] of stages.layers.entries()) {
      const attended = await this.#attention(layer, input);
      if (this.#layout.rowCount === 0) break;
      const feeds = await this.#mixture(layer, layerStages, attended);
      if (this.#layout.rowCount === 0) break;
      const last = layerStages.kind === "dense" ? layerStages.dense : layerStages.combine;
      input = this.#next(layer + 1, this.#run(last, { ...feeds, ...this.#positions(layer + 1) }));
    }
    const { entries } = this.#step;
    const results = readHead(stages.head, input.x_aD, this.#layout, entries, config.hiddenSize, config.vocabSize);
    const times = {
      computeMs: this.#computeMs,
      exchangeMs: this.#exchangeMs,
      totalMs: performance.now() - this.#beganMs,
    };
    return { entries: results, times };
  }

  /** The tokens' embeddings, images' features in their places, and what the first layer makes of them. */
  #enter(): LayerInput {
    const { config, stages, embedding } = this.#parts;
    const x_aD = new Float32Array(this.#layout.rowCount * config.hiddenSize);
    for (const { entry, offset } of this.#layout.parts) {
      embedding.gather(entry.tokenIds, x_aD, offset);
      for (const { row, rows_aD } of entry.embeddings) x_aD.set(rows_aD, (offset + row) * config.hiddenSize);
    }
    const out = this.#run(stages.enter, { x: this.#rows(x_aD), ...this.#positions(0) });
    return { x_aD, qkv: slices(out, this.#layout.rowCount, this.#qkvWidths) };
  }

  /** Cuts a layer's last output into what the next one begins with. */
  #next(layer: number, out: Float32Array): LayerInput {
    const { layerCount, hiddenSize } = this.#parts.config;
    if (layer === layerCount) return { x_aD: out, qkv: undefined };
    const [x_aD, ...qkv] = slices(out, this.#layout.rowCount, [hiddenSize, ...this.#qkvWidths]);
    return { x_aD, qkv };
  }

  get #qkvWidths(): readonly [number, number, number] {
    const { headCount, kvHeadCount, headDim } = this.#parts.config;
    return [headCount * headDim, kvHeadCount * headDim, kvHeadCount * headDim];
  }

  /** The rows' attention over their sequences, with what holders have of them: `attended` [a, Q], beside it the layer's input x [a, D]. */
  async #attention(layer: number, { x_aD, qkv }: LayerInput): Promise<Feeds> {
    const { config } = this.#parts;
    assert(qkv !== undefined, "a layer has queries, keys and values");
    const own_aQ = new Float32Array(qkv[0].length);
    const striped = this.#attend(layer, qkv, own_aQ);
    const whole = { layout: this.#layout, attended_aQ: own_aQ, x_aD };
    const merged = striped === undefined ? whole : await mergeStripes(striped, this.#layout, x_aD, config);
    this.#layout = merged.layout;
    const attended = f32(merged.attended_aQ, [this.#layout.rowCount, this.#qkvWidths[0]]);
    return { attended, x: this.#rows(merged.x_aD) };
  }

  /** Stores the rows' keys and values and attends to what this worker has. Where holders have a part of it, what was asked of them. */
  #attend(layer: number, [q_aQ, k_aKd, v_aKd]: QueryKeyValue, attended_aQ: Float32Array): StripedAttention | undefined {
    const { attention, decodeAttention, cachedAttention, config } = this.#parts;
    const beganMs = performance.now();
    const striped = this.#striped(layer);
    const { index, kind } = at(this.#parts.rowsContext.places, layer);
    const asked =
      striped.length > 0 ? askStripes(index, stripedRows(striped), q_aQ, config, this.#step.traceCall) : undefined;
    const lse_aH = new Float32Array(asked === undefined ? 0 : this.#layout.rowCount * config.headCount);
    const decoding: DecodeRow[] = [];
    const cached: CachedRow[] = [];
    for (const part of this.#layout.parts) {
      const { rows, offset, rowCount } = part;
      if (cachedAttention !== undefined && rowCount === 1 && rows.isInOneRun(kind, IN_PLACE_ROWS_MAX)) {
        cached.push({ row: offset, rows });
        continue;
      }
      rows.append(layer, k_aKd, v_aKd, offset, rowCount);
      if (striped.includes(part)) attention.attend(rows, layer, q_aQ, attended_aQ, offset, rowCount, lse_aH);
      else if (rowCount > 1) attention.attend(rows, layer, q_aQ, attended_aQ, offset, rowCount);
      else decoding.push({ row: offset, runs: rows.runsAt(layer, rows.first) });
    }
    decodeAttention.attend(decoding, q_aQ, attended_aQ);
    cachedAttention?.attend(cached, layer, kind, [q_aQ, k_aKd, v_aKd], attended_aQ);
    this.#computeMs += performance.now() - beganMs;
    return asked === undefined ? undefined : { asked, own_aQ: attended_aQ, lse_aH };
  }

  /** The parts of the step that attend to what holders have. */
  #striped(layer: number): readonly StepPart[] {
    if (!this.#parts.config.isGlobalLayer[layer]) return [];
    return this.#layout.parts.filter(({ rows }) => rows.remoteEnd > 0);
  }

  /** What a MoE layer combines: the shared expert with the residual, and the routed experts' rows. A dense layer goes on with its attention. */
  async #mixture(layer: number, stages: LayerStages, attended: Feeds): Promise<Feeds> {
    if (stages.kind === "dense") return attended;
    const { exchange, config } = this.#parts;
    const layout = this.#layout;
    const { z_aD, expert_a, shared } = this.#gate(stages, attended);
    let s_aD: Float32Array | undefined;
    const meanwhile = () => {
      s_aD ??= shared();
      return s_aD;
    };
    const { traceCall } = this.#step;
    const began = { ms: performance.now(), computeMs: this.#computeMs };
    const request = { layer, z_aD, expert_a, rowCount: layout.rowCount, traceCall, meanwhile };
    const { y_aD, missing } = await exchange.exchange(request);
    this.#exchangeMs += performance.now() - began.ms - (this.#computeMs - began.computeMs);
    for (let row = 0; row < layout.rowCount; row++)
      layout.experts[row * layout.moeCount + stages.moeIndex] = at(expert_a, row);
    const kept = dropParked(layout, missing, [meanwhile(), y_aD], config.hiddenSize);
    this.#layout = kept.layout;
    const [s, routed] = kept.buffers;
    return { s: this.#rows(s), routed: this.#rows(routed) };
  }

  /** The scaled expert input, each row's expert, and what gives residual + shared expert: that is done already where experts are in this process. */
  #gate(
    stages: MoeStages,
    attended: Feeds,
  ): Readonly<{ z_aD: Float32Array; expert_a: Int32Array; shared: () => Float32Array }> {
    const { hiddenSize } = this.#parts.config;
    const { rowCount } = this.#layout;
    const gate = this.#run(stages.gate, attended);
    if (stages.kind === "moe-local") {
      const [z_aD, expert, s_aD] = slices(gate, rowCount, [hiddenSize, 1, hiddenSize]);
      return { z_aD, expert_a: Int32Array.from(expert), shared: () => s_aD };
    }
    const [z_aD, expert, h_aD, n_aD] = slices(gate, rowCount, [hiddenSize, 1, hiddenSize, hiddenSize]);
    const shared = () => this.#run(stages.shared, { h: this.#rows(h_aD), n: this.#rows(n_aD) });
    return { z_aD, expert_a: Int32Array.from(expert), shared };
  }

  #run(session: Session, feeds: Feeds): Float32Array {
    const beganMs = performance.now();
    const out = session.runFlat(feeds);
    this.#computeMs += performance.now() - beganMs;
    return out;
  }

  #rows(x_aD: Float32Array) {
    return f32(x_aD, [this.#layout.rowCount, this.#parts.config.hiddenSize]);
  }

  /** What a layer's attention asks for: positions modulo the chunk, or the queries' temperatures; nothing after the last layer. */
  #positions(layer: number): Feeds {
    const { config } = this.#parts;
    const layout = this.#layout;
    if (layer >= config.layerCount) return {};
    if (!config.isGlobalLayer[layer]) {
      layout.positions ??= positionsOf(layout, config.chunkSize);
      return { position: i64(layout.positions, [layout.rowCount, 1]) };
    }
    layout.temperatures ??= temperaturesOf(layout, config);
    return { temperature: f32(layout.temperatures, [layout.rowCount, 1]) };
  }
}
