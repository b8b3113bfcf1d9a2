import { BoundedMap, DroverError, type RouterId, restOfPeriod } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import { KNOWN_ROUTER_MAX, ROUTER_COUNT_MAX, ROUTER_GONE_MS, STATE_CHANGE_MS, STATE_INTERVAL_MS } from "../limits.ts";

/** The scheduler's half of one Watch stream. */
export interface StateSink {
  send(state: ClusterState): void;
  end(error: DroverError): void;
}

/** When a router last watched, and whether it was named as gone since. */
type Seen = { readonly atMs: number; isNamedGone: boolean };

/**
 * The routers: who watches, who did until lately, and when the next state is due. A router counts as alive for
 * ROUTER_GONE_MS after its last Watch stream ended, and as long after the first job of it that was seen. `now` is monotonic.
 */
export class Routers {
  readonly #watchers = new Map<StateSink, RouterId>();
  readonly #known = new BoundedMap<RouterId, Seen>({ entriesMax: KNOWN_ROUTER_MAX });
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
    const seen = this.#known.get(router);
    if (seen === undefined) this.#see(router, now);
    return seen !== undefined && now - seen.atMs >= ROUTER_GONE_MS;
  }

  /** Routers that became gone; each is named once. To be called about once a second. */
  expire(now: number): readonly RouterId[] {
    for (const router of this.#watchers.values()) this.#see(router, now);
    const gone: RouterId[] = [];
    for (const [router, seen] of this.#known) {
      if (seen.isNamedGone || !this.isGone(router, now)) continue;
      seen.isNamedGone = true;
      gone.push(router);
    }
    return gone;
  }

  /** Something changed that routers want to know soon. */
  touch(): void {
    this.#dirty = true;
  }

  /** When the next state goes out, unless it changes before. */
  get dueMs(): number {
    if (this.#watchers.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#dirty || this.#sentAtMs === Number.NEGATIVE_INFINITY) return this.#sentAtMs + STATE_CHANGE_MS;
    return this.#sentAtMs + restOfPeriod(this.#sentAtMs, STATE_INTERVAL_MS);
  }

  /** Sends the state to all when it changed, 20 times a second at most, and each second anyway. */
  flush(state: () => ClusterState, now: number): void {
    if (now < this.dueMs) return;
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
    this.#known.set(router, { atMs: now, isNamedGone: false });
  }
}
