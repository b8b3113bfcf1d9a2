import type { Account } from "@drover/tenants";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { RequestTrace } from "./request-trace.ts";

/** Where permits come from. */
interface Room {
  hold(byteCount: number): void;
  release(permit: Permit, byteCount: number): void;
}

export type PermitOptions = Readonly<{
  room: Room;
  metrics: RouterMetrics;
  trace: RequestTrace | undefined;
  /** What logs know the request by besides its id. */
  name: string | undefined;
  /** On the clock's monotonic scale. */
  arrivedMs: number;
  /** Whose request it is. */
  account: Account;
}>;

/** A request's place among those in flight; disposing it frees the place, and ends the request's spans. */
export class Permit implements Disposable {
  readonly metrics: RouterMetrics;
  readonly trace: RequestTrace | undefined;
  readonly name: string | undefined;
  readonly arrivedMs: number;
  readonly account: Account;
  readonly #room: Room;
  #byteCount = 0;
  #kvByteCount = 0;
  #released = false;

  constructor({ room, metrics, trace, name, arrivedMs, account }: PermitOptions) {
    this.#room = room;
    this.metrics = metrics;
    this.trace = trace;
    this.name = name;
    this.arrivedMs = arrivedMs;
    this.account = account;
  }

  /** Counts bytes that the request keeps until its permit ends. Errors: `overloaded` when all requests together keep too many. */
  holdBytes(byteCount: number): void {
    if (this.#released) return;
    this.#room.hold(byteCount);
    this.#byteCount += byteCount;
    this.metrics.imageBytesHeld(byteCount);
  }

  /** Counts KV against its account until the permit ends. Errors: `rate_limit_exceeded`. */
  holdKv(byteCount: number, nowMs: number): void {
    if (this.#released) return;
    this.account.allowance?.holdKv(byteCount, nowMs);
    this.#kvByteCount += byteCount;
  }

  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    this.trace?.end();
    this.#room.release(this, this.#byteCount);
    this.account.allowance?.freeKv(this.#kvByteCount);
    this.metrics.imageBytesHeld(-this.#byteCount);
    this.metrics.inFlight(-1);
  }
}
