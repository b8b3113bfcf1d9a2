import { assert, at, type Step, type StepResult } from "@drover/core";
import { KV_KINDS, type KvKind } from "@drover/kv";
import { queryTemperature } from "@drover/llama4";
import { SINGLE_ROW_CACHED_MAX } from "../limits.ts";
import { f32 } from "../session.ts";
import { readHead } from "./head.ts";
import type { MoeStages } from "./layers.ts";
import type { SingleRowStage, SingleRowStages } from "./single-row-stages.ts";
import { dropParked, type StepLayout, type StepPart } from "./step-layout.ts";
import type { TextParts } from "./text-parts.ts";

/** Whether a step is one row whose sequence has all that it sees in one run of each kind of layers, as a single stream's steps mostly are. */
export function isSingleRow({ stages, rowsContext }: TextParts, { parts, rowCount }: StepLayout): boolean {
  const [part] = parts;
  if (stages.singleRow === undefined || part === undefined || rowCount !== 1) return false;
  return kindsOf(rowsContext.geometry).every((kind) => part.rows.isInOneRun(kind, SINGLE_ROW_CACHED_MAX));
}

/** The kinds of layers that there are. */
function kindsOf({ isGlobalLayer }: Readonly<{ isGlobalLayer: readonly boolean[] }>): readonly KvKind[] {
  return KV_KINDS.filter((kind) => isGlobalLayer.includes(kind === "global"));
}

/** One row's way through the model: a run for all layers up to a MoE layer's gate, attention and all, and one for its expert. */
export class SingleRowStep {
  readonly #parts: TextParts;
  readonly #step: Step;
  readonly #part: StepPart;
  readonly #beganMs = performance.now();
  #layout: StepLayout;
  #computeMs = 0;
  #exchangeMs = 0;

  /** `layout`: one for which {@link isSingleRow} holds. */
  constructor(parts: TextParts, step: Step, layout: StepLayout) {
    this.#parts = parts;
    this.#step = step;
    this.#layout = layout;
    this.#part = at(layout.parts, 0);
  }

  /** Embedding, stages, head. */
  async run(): Promise<StepResult> {
    const { config, stages } = this.#parts;
    const { singleRow } = stages;
    assert(singleRow !== undefined, "only a model with such stages takes single rows by themselves");
    this.#enter(singleRow);
    let y_D: Float32Array | undefined = singleRow.memory.x;
    for (const stage of singleRow.stages) {
      y_D = await this.#pass(singleRow, stage);
      if (y_D === undefined) break;
    }
    const { entries } = this.#step;
    const results = readHead(stages.head, y_D ?? NOTHING, this.#layout, entries, config.hiddenSize, config.vocabSize);
    const totalMs = performance.now() - this.#beganMs;
    return { entries: results, times: { computeMs: this.#computeMs, exchangeMs: this.#exchangeMs, totalMs } };
  }

  /** The token's embedding, or an image's feature, and where the row stands. */
  #enter(singleRow: SingleRowStages): void {
    const { config, embedding } = this.#parts;
    const { entry, rows } = this.#part;
    embedding.gather(entry.tokenIds, singleRow.memory.x, 0);
    for (const { rows_aD } of entry.embeddings) singleRow.memory.x.set(rows_aD);
    for (const kind of kindsOf(config)) singleRow.memory.place(kind, rows.countBefore(kind));
    singleRow.memory.heat(queryTemperature(config, rows.first));
  }

  /** Takes the row through a stage, and has what the next one begins with in its place: returns it, whole. Undefined where its expert gave no answer. */
  async #pass(singleRow: SingleRowStages, stage: SingleRowStage): Promise<Float32Array | undefined> {
    const beganMs = performance.now();
    const out = singleRow.run(stage, (layer) => this.#part.rows.cachedRows(layer));
    this.#computeMs += performance.now() - beganMs;
    if (!stage.isMoe) {
      singleRow.memory.x.set(out);
      return out;
    }
    const mixed = await this.#mixture(stage.layers, out);
    if (mixed === undefined) return undefined;
    singleRow.memory.x.set(mixed.s_D);
    singleRow.memory.routed.set(mixed.y_D);
    return stage === singleRow.stages.at(-1) ? mixed.y_D.map((value, i) => value + at(mixed.s_D, i)) : mixed.s_D;
  }

  /** Has the row's expert asked, and the shared one computed where the stage has not. Undefined where the expert gave no answer. */
  async #mixture(
    layers: readonly number[],
    out: Float32Array,
  ): Promise<Readonly<{ s_D: Float32Array; y_D: Float32Array }> | undefined> {
    const { exchange, config, stages } = this.#parts;
    const { hiddenSize } = config;
    const layer = at(layers, layers.length - 1);
    const moe = at(stages.layers, layer);
    assert(moe.kind !== "dense", "a stage ends at a gate where its last layer is a MoE layer");
    const row = (from: number) => out.subarray(from, from + hiddenSize);
    const expert = at(out, hiddenSize);
    let s_D = moe.kind === "moe-local" ? row(hiddenSize + 1) : undefined;
    const meanwhile = () => {
      s_D ??= this.#shared(moe, row(hiddenSize + 1), row(2 * hiddenSize + 1));
      return s_D;
    };
    const { traceCall } = this.#step;
    const began = { ms: performance.now(), computeMs: this.#computeMs };
    const request = { layer, z_aD: row(0).slice(), expert_a: Int32Array.of(expert), rowCount: 1, traceCall, meanwhile };
    const { y_aD, missing } = await exchange.exchange(request);
    this.#exchangeMs += performance.now() - began.ms - (this.#computeMs - began.computeMs);
    this.#layout.experts[moe.moeIndex] = expert;
    this.#layout = dropParked(this.#layout, missing, [], hiddenSize).layout;
    return missing.length > 0 ? undefined : { s_D: meanwhile(), y_D: y_aD };
  }

  #shared(moe: MoeStages, h_D: Float32Array, n_D: Float32Array): Float32Array {
    assert(moe.kind === "moe-remote", "where experts are in this process, a gate's run has the shared one in it");
    const { hiddenSize } = this.#parts.config;
    const beganMs = performance.now();
    const s_D = moe.shared.runFlat({ h: f32(h_D, [1, hiddenSize]), n: f32(n_D, [1, hiddenSize]) });
    this.#computeMs += performance.now() - beganMs;
    return s_D;
  }
}

const NOTHING = new Float32Array(0);
