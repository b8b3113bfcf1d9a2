import {
  type ErrorCode,
  type GenerationEvent,
  noTracer,
  type TraceCall,
  type TraceContext,
  type Tracer,
  type TraceSpan,
} from "@drover/core";
import { TRACED_CALLS_PER_STEP_MAX } from "./limits.ts";
import type { GenerationTask } from "./task.ts";

/** The span of an attempt at this worker, from its acceptance on. Undefined where its caller's is not recorded. */
export function beginGeneration(
  tracer: Tracer = noTracer,
  caller: TraceContext | undefined,
  task: GenerationTask,
): TraceSpan | undefined {
  return tracer.join("generate", caller, {
    kind: "server",
    attributes: {
      "drover.request": task.requestId,
      "drover.attempt": task.attempt,
      "drover.prompt_tokens": task.promptTokenIds.length,
      "drover.choices": task.params.n,
    },
  });
}

/** The span of a step, and what begins one for each of its calls. */
export type ShownStep = Readonly<{ span: TraceSpan; call: TraceCall }>;

type Phase = "wait" | "prefill" | "decode";

/**
 * A traced request's phases: waiting for its first step, prefill until its first token, decode until its end. Of each phase that computes, one
 * step shows its calls to other workers, a bounded number of them: with all steps a long answer would be a hundred thousand spans.
 */
export class GenerationTrace {
  readonly #span: TraceSpan;
  #phase: Phase = "wait";
  #phaseSpan: TraceSpan;
  #isStepShown = false;
  #tokenCount = 0;
  #ended = false;

  /** Takes the attempt's span over, and ends it. */
  constructor(span: TraceSpan) {
    this.#span = span;
    this.#phaseSpan = span.child("wait");
  }

  /** A span for getting its images' features. */
  fetching(): TraceSpan {
    return this.#span.child("fetch features");
  }

  /** A step serves it. */
  served(): void {
    if (this.#phase === "wait") this.#enter("prefill");
  }

  /** The span of the step that serves it, under which each call to another worker has one; undefined where its phase has shown a step. */
  step(): ShownStep | undefined {
    if (this.#isStepShown || this.#ended) return undefined;
    this.#isStepShown = true;
    const span = this.#phaseSpan.child("step");
    let left: number = TRACED_CALLS_PER_STEP_MAX;
    const call: TraceCall = (name, attributes) =>
      left-- > 0 ? span.child(name, { kind: "client", attributes }) : undefined;
    return { span, call };
  }

  /** An event of it goes to the router. */
  saw(event: GenerationEvent): void {
    if (event.kind === "token") this.#token();
    if (event.kind === "done") {
      this.#span.attributes({ "drover.cached_tokens": event.cachedTokenCount });
      this.end();
    }
    if (event.kind === "failed") {
      const { code, handedBack } = event;
      this.#span.attributes({ "drover.handed_back": handedBack });
      this.end(handedBack ? "cancelled" : code);
    }
  }

  #token(): void {
    this.#tokenCount += 1;
    if (this.#phase === "decode") return;
    this.#enter("decode");
    this.#phaseSpan.event("first_token");
  }

  end(fault?: ErrorCode): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#phaseSpan.end(fault);
    this.#span.attributes({ "drover.output_tokens": this.#tokenCount });
    this.#span.end(fault);
  }

  #enter(phase: Phase): void {
    if (this.#ended) return;
    this.#phaseSpan.end();
    this.#phase = phase;
    this.#phaseSpan = this.#span.child(phase);
    this.#isStepShown = false;
  }
}
