import {
  ATTEMPT_STRIDE,
  at,
  DroverError,
  type FeatureSource,
  type GenerationEvent,
  type RequestEvent,
  type Resume,
  type StepRunner,
  toDroverError,
} from "@drover/core";
import { GenerationTrace } from "./generation-trace.ts";
import { ImageFeatures } from "./image-features.ts";
import type { PromptPreparation } from "./prompt-preparation.ts";
import type { GenerationTask } from "./task.ts";

/**
 * One accepted request and everything it has sent. The log is kept until the request ends and its router has had it: a broken stream is no
 * cancel. It is bounded by the request's own tokens.
 */
export class ActiveRequest {
  readonly task: GenerationTask;
  /** Rises with admission. */
  readonly order: number;
  /** Whether another attempt has told its client tokens. */
  readonly hasTold: boolean;
  /** The last step that served a prompt of it, or the one in which it arrived. */
  lastPromptStep: number;
  readonly log: RequestEvent[] = [];
  /** Choices that are not finished. */
  openChoiceCount: number;
  ended = false;
  /** Prompt rows that were cached when its first choice got KV. */
  cachedCount: number | undefined = undefined;
  /** Undefined while they are being fetched: until then its choices are in no step. */
  features: ImageFeatures | undefined;
  /** Takes over what other workers have left of its prompt; undefined before its first choice is about to get KV. */
  preparation: PromptPreparation | undefined = undefined;
  /** Its phases as spans, where it is traced. */
  readonly trace: GenerationTrace | undefined;
  readonly #over = new AbortController();

  constructor(task: GenerationTask, order: number, step: number) {
    this.task = task;
    this.order = order;
    this.lastPromptStep = step;
    this.features = task.images.length === 0 ? ImageFeatures.none : undefined;
    this.trace = task.trace && new GenerationTrace(task.trace);
    this.hasTold = task.delivered.some(({ tokenIds }) => tokenIds.length > 0);
    this.openChoiceCount = task.delivered.filter((d) => !d.finished).length;
  }

  /**
   * Whether an attempt that comes is one too many: an older one, or a repeated delivery of the job that this one is of, by a scheduler that did
   * not hear that it was taken. Its router has heard of this one, and would not follow one that begins where the job did.
   */
  isInPlaceOf({ attempt }: Pick<GenerationTask, "attempt">): boolean {
    const job = (one: number) => Math.floor(one / ATTEMPT_STRIDE);
    return job(attempt) <= job(this.task.attempt);
  }

  /** Aborts when nothing more is to be done for it. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  close(): void {
    this.trace?.end("cancelled");
    this.#over.abort(new DroverError("cancelled", "the request is over at this worker"));
  }

  /** A step has served it, or is about to. */
  get begun(): boolean {
    return this.cachedCount !== undefined;
  }

  /** Gets the features of its images, so that steps can serve it. Returns why they did not come. */
  async fetchFeatures({
    runner,
    features,
  }: Readonly<{ runner: Pick<StepRunner, "hiddenSize">; features: FeatureSource }>): Promise<DroverError | undefined> {
    const fetching = this.trace?.fetching();
    try {
      this.features = await ImageFeatures.fetch(this.task.images, runner.hiddenSize, features, this.over);
      fetching?.end();
      return undefined;
    } catch (error) {
      const fault = toDroverError(error);
      fetching?.end(this.over.aborted ? "cancelled" : fault.code);
      return fault;
    }
  }

  /** Makes an event of this attempt and logs it. */
  emit(event: GenerationEvent): RequestEvent {
    const { requestId, attempt } = this.task;
    const made = { requestId, attempt, event };
    this.log.push(made);
    this.trace?.saw(event);
    if (event.kind === "done" || event.kind === "failed") this.ended = true;
    return made;
  }

  /** What the router has not seen, in order: all, where it asks for nothing, or for another attempt than this one. */
  since(resume: Resume | undefined): readonly RequestEvent[] {
    const { attempt, params } = this.task;
    if (resume?.attempt !== attempt || resume.nextIndices.length !== params.n) return this.log;
    return this.log.filter(({ event }) => {
      if (event.kind === "started") return !resume.started;
      if (event.kind === "prompt") return event.start >= resume.nextPromptPosition;
      if (event.kind === "token") return event.index >= at(resume.nextIndices, event.choice);
      return true;
    });
  }
}

/**
 * What a router hears that asks after an attempt of which nothing is here: it ended while the stream broke, its last events were lost on the
 * way, and no log has them any more. The request goes on elsewhere behind what its client has, or is complete with it.
 */
export function endedUnheard({ requestId, attempt }: Resume): RequestEvent {
  const message = "the attempt ended while its router's stream broke";
  const event = { kind: "failed", code: "unavailable", message, retryable: true, handedBack: false } as const;
  return { requestId, attempt, event };
}
