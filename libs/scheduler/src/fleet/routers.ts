import { DroverError, type RouterId } from "@drover/core";
import type { ClusterState } from "@drover/proto";
import { KNOWN_ROUTER_MAX, ROUTER_COUNT_MAX, ROUTER_GONE_MS, STATE_INTERVAL_MS, TICK_MS } from "../limits.ts";

/** The scheduler's half of one Watch stream. */
export interface StateSink {
  send(state: ClusterState): void;
  end(error: DroverError): void;
}

/**
 * The routers: who watches, who did until lately, and when the next state is due. A router counts as alive for
 * ROUTER_GONE_MS after its last Watch stream ended, and as long after the first job of it that was seen. `now` is monotonic.
 */
export class Routers {
  readonly #watchers = new Map<StateSink, RouterId>();
  readonly #seenAtMs = new Map<RouterId, number>();
  /** Gone, and named so. */
  readonly #expired = new Set<RouterId>();
  #dirty = false;
  #sentAtMs = Number.NEGATIVE_INFINITY;

  /** Errors: `overloaded` at ROUTER_COUNT_MAX streams. */
  add(router: RouterId, sink: StateSink, now: number): void {
    if (this.#watchers.size >= ROUTER_COUNT_MAX) {
      throw new DroverError("overloaded", `${ROUTER_COUNT_MAX} routers watch already, the maximum`);
    }
    this.#watchers.set(sink, router);
    this.#see(router, now);
    this.#dirty = true;
  }

  remove(sink: StateSink, now: number): void {
    const router = this.#watchers.get(sink);
    if (router === undefined) return;
    this.#watchers.delete(sink);
    this.#see(router, now);
    this.#dirty = true;
  }

  get watching(): readonly RouterId[] {
    return [...new Set(this.#watchers.values())].sort();
  }

  /** Whether the router is gone for good; one that is asked about for the first time has its whole grace before it. */
  isGone(router: RouterId, now: number): boolean {
    const seenAtMs = this.#seenAtMs.get(router);
    if (seenAtMs === undefined) this.#see(router, now);
    return seenAtMs !== undefined && now - seenAtMs >= ROUTER_GONE_MS;
  }

  /** Routers that became gone; each is named once. To be called about once a second. */
  expire(now: number): readonly RouterId[] {
    for (const router of this.#watchers.values()) this.#see(router, now);
    const gone = [...this.#seenAtMs.keys()].filter((router) => !this.#expired.has(router) && this.isGone(router, now));
    for (const router of gone) this.#expired.add(router);
    return gone;
  }

  /** Something changed that routers want to know soon. */
  touch(): void {
    this.#dirty = true;
  }

  /** Sends the state to all when it changed, 20 times a second at most, and each second anyway. */
  flush(state: () => ClusterState, now: number): void {
    const sinceMs = now - this.#sentAtMs;
    if (this.#watchers.size === 0 || sinceMs < (this.#dirty ? TICK_MS : STATE_INTERVAL_MS)) return;
    this.#dirty = false;
    this.#sentAtMs = now;
    const message = state();
    for (const sink of this.#watchers.keys()) sink.send(message);
  }

  close(error: DroverError): void {
    for (const sink of this.#watchers.keys()) sink.end(error);
    this.#watchers.clear();
  }

  #see(router: RouterId, now: number): void {
    this.#expired.delete(router);
    this.#seenAtMs.delete(router);
    this.#seenAtMs.set(router, now);
    const oldest = this.#seenAtMs.keys().next();
    if (this.#seenAtMs.size <= KNOWN_ROUTER_MAX || oldest.done) return;
    this.#seenAtMs.delete(oldest.value);
    this.#expired.delete(oldest.value);
  }
}
