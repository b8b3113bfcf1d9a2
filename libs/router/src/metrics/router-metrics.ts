import { ERROR_CODES, LANES, type Lane, type ModelId } from "@drover/core";
import type { HistogramSeries, Tally } from "@drover/telemetry";
import type { RouterSeries } from "./router-series.ts";

/** What a wait for an image's features came to: they were there, were made, are nowhere, or the request ended or timed out before that was known. */
export type EncodeOutcome = "held" | "encoded" | "failed" | "abandoned";

const DRAIN_OUTCOMES = ["finished", "cut"] as const;
const FINISH_REASONS = ["stop", "length", "abort"] as const;

/** The figures of one served model. */
export class RouterMetrics {
  readonly #series: RouterSeries;
  readonly #model: { model_name: string };
  readonly #firstToken: HistogramSeries;
  readonly #interToken: HistogramSeries;
  readonly #latency: HistogramSeries;
  readonly #requestPromptTokens: HistogramSeries;
  readonly #requestGenerationTokens: HistogramSeries;
  readonly #cachedShare: HistogramSeries;
  readonly #generatedTokens: Tally;
  readonly #promptTokens: Tally;
  readonly #cachedTokens: Tally;
  readonly #inFlight: Tally;
  readonly #imageBytesHeld: Tally;
  readonly #finished: Readonly<Record<(typeof FINISH_REASONS)[number], Tally>>;

  constructor(series: RouterSeries, modelId: ModelId) {
    this.#series = series;
    this.#model = { model_name: modelId };
    this.#firstToken = series.timeToFirstToken.of(this.#model);
    this.#interToken = series.interTokenLatency.of(this.#model);
    this.#latency = series.requestLatency.of(this.#model);
    this.#requestPromptTokens = series.requestPromptTokens.of(this.#model);
    this.#requestGenerationTokens = series.requestGenerationTokens.of(this.#model);
    this.#cachedShare = series.cachedShare.of(this.#model);
    this.#generatedTokens = series.tally(series.generationTokens, this.#model);
    this.#promptTokens = series.tally(series.promptTokens, this.#model);
    this.#cachedTokens = series.tally(series.cachedTokens, this.#model);
    this.#inFlight = series.tally(series.inFlight, this.#model);
    this.#imageBytesHeld = series.tally(series.imageBytesHeld, this.#model);
    const finished = (reason: (typeof FINISH_REASONS)[number]) =>
      series.tally(series.successes, { ...this.#model, finished_reason: reason });
    this.#finished = { stop: finished("stop"), length: finished("length"), abort: finished("abort") };
    this.#emitZeros();
  }

  /** What has not happened yet is counted as 0, so that its first time is a rise. */
  #emitZeros(): void {
    for (const code of Object.keys(ERROR_CODES)) this.#series.failures.inc({ ...this.#model, code }, 0);
    for (const cause of READD_CAUSES) this.#series.readds.inc({ ...this.#model, cause }, 0);
    for (const lane of LANES) this.#series.refusedAtDoor.inc({ ...this.#model, lane }, 0);
    this.#series.imageOpenSeconds.of(this.#model);
    for (const outcome of DRAIN_OUTCOMES) this.#series.drained.inc({ ...this.#model, outcome }, 0);
    for (const reason of UNKEPT_REASONS) this.#series.keyedUnkept.inc({ ...this.#model, reason }, 0);
    this.waitingForCluster(0);
    for (const counter of [this.#series.staleEvents, this.#series.slowReaders, this.#series.keyedResumed])
      counter.inc(this.#model, 0);
  }

  firstToken(seconds: number): void {
    this.#firstToken.observe(seconds);
  }
  nextToken(seconds: number): void {
    this.#interToken.observe(seconds);
  }
  token(): void {
    this.#generatedTokens.add(1);
  }
  ended(seconds: number): void {
    this.#latency.observe(seconds);
  }
  /** `cachedTokenCount`: of the prompt, what its worker says that it did not compute. */
  prompt(tokenCount: number, cachedTokenCount: number): void {
    this.#promptTokens.add(tokenCount);
    this.#requestPromptTokens.observe(tokenCount);
    this.#cachedTokens.add(cachedTokenCount);
    if (tokenCount > 0) this.#cachedShare.observe(cachedTokenCount / tokenCount);
  }
  /** All tokens of a finished request. */
  generated(tokenCount: number): void {
    this.#requestGenerationTokens.observe(tokenCount);
  }
  refusedAtDoor(lane: Lane): void {
    this.#series.refusedAtDoor.inc({ ...this.#model, lane });
  }
  finished(reason: (typeof FINISH_REASONS)[number]): void {
    this.#finished[reason].add(1);
  }
  failed(code: string): void {
    this.#series.failures.inc({ ...this.#model, code });
  }
  readded(cause: ReaddCause): void {
    this.#series.readds.inc({ ...this.#model, cause });
  }
  waitingForCluster(count: number): void {
    this.#series.waitingForCluster.set(this.#model, count);
  }
  /** So many more; fewer where it is negative. */
  inFlight(change: number): void {
    this.#inFlight.add(change);
  }
  streams(count: number): void {
    this.#series.streams.set(this.#model, count);
  }
  staleEvent(): void {
    this.#series.staleEvents.inc(this.#model);
  }
  slowReader(): void {
    this.#series.slowReaders.inc(this.#model);
  }
  /** This router went on with a keyed request that another one had begun. */
  keyedResumed(): void {
    this.#series.keyedResumed.inc(this.#model);
  }
  /** No other router can go on with a keyed request that goes on here. */
  keyedUnkept(reason: UnkeptReason): void {
    this.#series.keyedUnkept.inc({ ...this.#model, reason });
  }
  drained(outcome: (typeof DRAIN_OUTCOMES)[number], count: number): void {
    this.#series.drained.inc({ ...this.#model, outcome }, count);
  }
  imageOpened(seconds: number): void {
    this.#series.imageOpenSeconds.observe(this.#model, seconds);
  }
  imageEncoded(outcome: EncodeOutcome, seconds: number): void {
    this.#series.imageEncodeSeconds.observe({ ...this.#model, outcome }, seconds);
  }
  /** So many more; fewer where it is negative. */
  imageBytesHeld(change: number): void {
    this.#imageBytesHeld.add(change);
  }
}

/** Why what a keyed request has delivered is not kept: it is too much, the store is away, or has lost it. */
const UNKEPT_REASONS = ["full", "away", "forgotten"] as const;
export type UnkeptReason = (typeof UNKEPT_REASONS)[number];

/** Why a request is added again. */
const READD_CAUSES = [
  "worker_lost",
  "worker_failed",
  "handed_back",
  "token_gap",
  "leader_changed",
  "queue_unavailable",
  "queue_lost",
] as const;
export type ReaddCause = (typeof READD_CAUSES)[number];
