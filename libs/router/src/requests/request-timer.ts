import type { Clock, ErrorCode } from "@drover/core";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { Generation } from "./generation.ts";

/** Measures one request from its arrival to its end. */
export class RequestTimer {
  readonly #metrics: RouterMetrics;
  readonly #clock: Clock;
  readonly #arrivedMs: number;
  #lastTokenMs: number | undefined;
  #tokenCount = 0;

  /** `arrivedMs` on the clock's monotonic scale. */
  constructor(metrics: RouterMetrics, clock: Clock, arrivedMs: number) {
    this.#metrics = metrics;
    this.#clock = clock;
    this.#arrivedMs = arrivedMs;
  }

  /** A token has come. */
  token(atMs: number): void {
    if (this.#lastTokenMs === undefined) this.#metrics.firstToken((atMs - this.#arrivedMs) / 1000);
    else this.#metrics.nextToken((atMs - this.#lastTokenMs) / 1000);
    this.#lastTokenMs = atMs;
    this.#tokenCount += 1;
    this.#metrics.token();
  }

  completed(generation: Generation, cachedTokenCount: number): void {
    this.#metrics.ended((this.#clock.monotonic() - this.#arrivedMs) / 1000);
    this.#metrics.prompt(generation.request.promptTokenIds.length, cachedTokenCount);
    this.#metrics.generated(this.#tokenCount);
    for (const { finish = "length" } of generation.state.choices) this.#metrics.finished(finish);
  }

  failed(code: ErrorCode): void {
    this.#metrics.ended((this.#clock.monotonic() - this.#arrivedMs) / 1000);
    if (code === "cancelled") this.#metrics.finished("abort");
    else this.#metrics.failed(code);
  }
}
