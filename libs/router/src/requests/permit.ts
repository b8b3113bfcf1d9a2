import type { Account } from "@drover/tenants";
import type { MemoryBudgets } from "../memory/memory-budgets.ts";
import { RequestMemory } from "../memory/request-memory.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { RequestTrace } from "./request-trace.ts";

/** Where permits come from. */
interface Room {
  release(permit: Permit): void;
}

export type PermitOptions = Readonly<{
  room: Room;
  budgets: MemoryBudgets;
  metrics: RouterMetrics;
  trace: RequestTrace | undefined;
  /** What logs know the request by besides its id. */
  name: string | undefined;
  /** On the clock's monotonic scale. */
  arrivedMs: number;
  /** Whose request it is. */
  account: Account;
}>;

/** A request's place among those in flight, and what it keeps in memory; disposing it frees both, and ends the request's spans. */
export class Permit implements Disposable {
  readonly metrics: RouterMetrics;
  readonly trace: RequestTrace | undefined;
  readonly name: string | undefined;
  readonly arrivedMs: number;
  readonly account: Account;
  readonly memory: RequestMemory;
  readonly #room: Room;
  #kvByteCount = 0;
  #released = false;

  constructor({ room, budgets, metrics, trace, name, arrivedMs, account }: PermitOptions) {
    this.#room = room;
    this.memory = new RequestMemory(budgets);
    this.metrics = metrics;
    this.trace = trace;
    this.name = name;
    this.arrivedMs = arrivedMs;
    this.account = account;
  }

  /** Counts an image's tiles, which the request keeps until its permit ends. Errors: `overloaded` when all requests together keep too many. */
  holdImage(byteCount: number): void {
    if (this.#released) return;
    this.memory.hold("images", byteCount);
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
    this.metrics.imageBytesHeld(-this.memory.of("images"));
    this.memory[Symbol.dispose]();
    this.#room.release(this);
    this.account.allowance?.freeKv(this.#kvByteCount);
    this.metrics.inFlight(-1);
  }
}
