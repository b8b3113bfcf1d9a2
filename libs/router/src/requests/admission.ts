import { type Clock, DroverError, whenAborted } from "@drover/core";
import type { Account } from "@drover/tenants";
import { ANYBODY } from "../api-keys.ts";
import { RETRY_AFTER_MS } from "../limits.ts";
import { type MemoryBudgets, memoryBudgets } from "../memory/memory-budgets.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import { Permit } from "./permit.ts";
import { refusal } from "./refusal.ts";
import type { RequestTrace } from "./request-trace.ts";

export type AdmissionOptions = Readonly<{
  requestsMax: number;
  /** Aborts when nothing new is taken any more. */
  refusing: AbortSignal;
  clock: Clock;
  /** What requests keep in memory; those of `limits.ts` unless given. */
  budgets?: MemoryBudgets;
}>;

/** The router's door: how many requests it holds, and what they keep in memory, whatever model they are for. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #permits = new Set<Permit>();
  readonly #budgets: MemoryBudgets;
  #onIdle: () => void = () => undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#budgets = options.budgets ?? memoryBudgets();
  }

  /** Requests that were admitted and are not over. */
  get inFlight(): number {
    return this.#permits.size;
  }

  /** Of them, those that are counted by these metrics: one model's. */
  inFlightOf(metrics: RouterMetrics): number {
    let count = 0;
    for (const permit of this.#permits) if (permit.metrics === metrics) count += 1;
    return count;
  }

  /** Resolves when nothing is in flight, or when the signal aborts. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    if (this.inFlight === 0) return;
    const idle = Promise.withResolvers<void>();
    this.#onIdle = idle.resolve;
    await Promise.race([idle.promise, whenAborted(signal)]);
  }

  /** `name` is what its client calls it; `trace` begins the spans of what is let in. Errors: `overloaded` when the router is full, `unavailable` when it ends: another one takes the request. */
  admit(
    metrics: RouterMetrics,
    name: string | undefined,
    trace: () => RequestTrace | undefined,
    account: Account = ANYBODY,
  ): Permit {
    const { requestsMax, refusing, clock } = this.#options;
    const retry = { retryAfterMs: RETRY_AFTER_MS };
    if (refusing.aborted)
      throw refusal(
        new DroverError("unavailable", "this router is ending; ask again, and another one answers", retry),
        metrics,
        undefined,
      );
    if (this.inFlight >= requestsMax)
      throw refusal(
        new DroverError("overloaded", `the router holds its ${requestsMax} requests; come back later`, retry),
        metrics,
        undefined,
      );
    const permit = new Permit({
      room: this,
      budgets: this.#budgets,
      metrics,
      trace: trace(),
      name,
      arrivedMs: clock.monotonic(),
      account,
    });
    this.#permits.add(permit);
    metrics.inFlight(1);
    return permit;
  }

  /** Frees a permit's place. */
  release(permit: Permit): void {
    this.#permits.delete(permit);
    if (this.inFlight === 0) this.#onIdle();
  }
}
