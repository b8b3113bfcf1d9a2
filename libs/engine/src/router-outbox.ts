import type { Clock, RequestEvent, RouterId } from "@drover/core";

/** Where one router's events go while its stream stands. */
export interface EventSink {
  /** One message with a step's events; never blocks. */
  send(events: readonly RequestEvent[]): void;
  /** Another stream of the router has taken its place: nothing is sent here any more, and its router must not go on waiting for it. */
  replaced(): void;
}

type Box = { sink: EventSink | undefined; detachedAtMs: number; pending: RequestEvent[] };

/** Collects a step's events by router and sends one message each. Without a stream events stay in the requests' logs alone. */
export class RouterOutbox {
  readonly #boxes = new Map<RouterId, Box>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The router's events go to the stream that greeted last, and one that was attached before hears that it was replaced. Of two that a router has
   * opened the older may greet last, and end soon: without a word to the newer its router would wait on a stream on which nothing comes.
   */
  attach(router: RouterId, sink: EventSink): void {
    const before = this.#boxes.get(router)?.sink;
    this.#boxes.set(router, { sink, detachedAtMs: 0, pending: [] });
    if (before !== sink) before?.replaced();
  }

  /** Only the stream that is attached now can detach itself. */
  detach(router: RouterId, sink: EventSink): void {
    const box = this.#boxes.get(router);
    if (box?.sink === sink)
      this.#boxes.set(router, { sink: undefined, detachedAtMs: this.#clock.monotonic(), pending: [] });
  }

  isAttached(router: RouterId): boolean {
    return this.#boxes.get(router)?.sink !== undefined;
  }

  add(router: RouterId, event: RequestEvent): void {
    this.#box(router).pending.push(event);
  }

  flush(): void {
    for (const box of this.#boxes.values()) {
      if (box.pending.length === 0) continue;
      box.sink?.send(box.pending);
      box.pending = [];
    }
  }

  /** Routers without a stream for longer than the grace; they are forgotten, and their requests are the caller's to end. */
  takeLost(graceMs: number): RouterId[] {
    const now = this.#clock.monotonic();
    const lost = [...this.#boxes]
      .filter(([, box]) => box.sink === undefined && now - box.detachedAtMs > graceMs)
      .map(([id]) => id);
    for (const id of lost) this.#boxes.delete(id);
    return lost;
  }

  #box(router: RouterId): Box {
    const known = this.#boxes.get(router);
    if (known !== undefined) return known;
    const made: Box = { sink: undefined, detachedAtMs: this.#clock.monotonic(), pending: [] };
    this.#boxes.set(router, made);
    return made;
  }
}
