import type { ModelConfig } from "@drover/checkpoint";
import type { PendingStep, Step, StepResult, StepRunner } from "@drover/core";
import { Attention } from "../attention/attention.ts";
import { CachedAttention } from "../attention/cached-attention.ts";
import { DecodeAttention } from "../attention/decode-attention.ts";
import { rowsContext } from "../attention/sequence-rows.ts";
import { CachedTensors } from "../bound/bound-session.ts";
import { NativeRuntime } from "../bound/native-runtime.ts";
import type { ModelWeights } from "../weights/model-weights.ts";
import { loadTextStages, sessionsOf } from "./layers.ts";
import { isSingleRow, SingleRowStep } from "./single-row-step.ts";
import { layOut } from "./step-layout.ts";
import type { TextModelOptions } from "./text-model-options.ts";
import type { TextParts } from "./text-parts.ts";
import { TextStep } from "./text-step.ts";

/** Llama 4's text model in this process: everything but the routed experts. */
export class TextModel implements StepRunner, Disposable {
  readonly #parts: TextParts;
  /** The last step that was submitted. */
  #last: Promise<unknown> | undefined;

  private constructor(parts: TextParts) {
    this.#parts = parts;
  }

  /** Loads the weights and compiles every stage. Errors: the checkpoint's, naming file and tensor. */
  static async load(config: ModelConfig, weights: ModelWeights, options: TextModelOptions): Promise<TextModel> {
    const { storage, exchange, remoteExperts = true, onLayer = () => undefined } = options;
    const runtime = storage.dtype === "f32" ? await NativeRuntime.load() : undefined;
    const cached = runtime && new CachedTensors(runtime);
    const stages = await loadTextStages(config, weights, {
      threads: options.threads,
      remoteExperts,
      cached,
      onLayer,
    });
    const attention = new Attention(config, storage.dtype, options);
    return new TextModel({
      config,
      stages,
      embedding: await weights.embedding(),
      attention,
      decodeAttention: new DecodeAttention(config, storage.dtype, attention, options),
      cachedAttention: cached && new CachedAttention(config, cached, options),
      rowsContext: rowsContext(storage.geometry, storage),
      exchange,
    });
  }

  get hiddenSize(): number {
    return this.#parts.config.hiddenSize;
  }

  get usable(): boolean {
    return this.#parts.exchange.usable;
  }

  /** Computes on the calling thread, up to the first layer whose experts are in other processes, before it returns. */
  submit(step: Step): PendingStep {
    const result = this.#last === undefined ? this.#compute(step) : this.#last.then(() => this.#compute(step));
    this.#last = result;
    const settle = async (): Promise<StepResult> => {
      try {
        return await result;
      } finally {
        if (this.#last === result) this.#last = undefined;
      }
    };
    return { result: settle };
  }

  #compute(step: Step): Promise<StepResult> {
    const layout = layOut(step.entries, this.#parts.config.moeLayers.length, this.#parts.rowsContext);
    const Way = isSingleRow(this.#parts, layout) ? SingleRowStep : TextStep;
    return new Way(this.#parts, step, layout).run();
  }

  [Symbol.dispose](): void {
    this.#parts.attention[Symbol.dispose]();
    this.#parts.decodeAttention[Symbol.dispose]();
    this.#parts.cachedAttention?.[Symbol.dispose]();
    for (const session of sessionsOf(this.#parts.stages)) session[Symbol.dispose]();
    this.#parts.stages.singleRow?.[Symbol.dispose]();
  }
}
