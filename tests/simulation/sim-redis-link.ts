import type {
  LaneDepth,
  PayloadStore,
  PutCondition,
  QueueConsumer,
  QueueJob,
  QueueProducer,
  RequestId,
  RouterId,
} from "@drover/core";
import { DroverError, type JobLease, type JobName, type Lane, neverAborted } from "@drover/core";
import { RedisLease } from "@drover/queue";
import { type End, SimConnection, type SimNetwork, type SimProcess } from "@drover/testkit";
import { MODEL } from "./model.ts";
import { SimLease } from "./sim-lease.ts";
import { leaseScript, type SimRedis } from "./sim-redis.ts";

/** Where Redis is: the process that has it, which changes with each of its lives. */
export type RedisPlace = () => Readonly<{ process: SimProcess; redis: SimRedis }>;

/** Commands that a Redis with a full disk answers all the same. */
const READS = /^(missing|cancelled|depth|get|leader)\b/;
const FULL = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk";

type Pending = Readonly<{ reject: (error: Error) => void }>;

const RECONNECT_MS = 100;
/** Commands of one instant while it is away. */
const REFUSED_AT_ONCE_MAX = 2000;
/** As ioredis is told: how long it waits for a word. */
const SILENCE_MS = 10_000;

/** One process's connection to Redis: commands in their order, answers in theirs, and what is under way when it breaks may or may not have been done. */
export class RedisLink {
  readonly #network: SimNetwork;
  readonly #process: SimProcess;
  readonly #place: RedisPlace;
  #end: End | undefined;
  #connection: SimConnection | undefined;
  readonly #pending = new Set<Pending>();
  #refusedAtMs = 0;
  #refusedCount = 0;
  isReady = false;

  constructor(network: SimNetwork, process: SimProcess, place: RedisPlace) {
    this.#network = network;
    this.#process = process;
    this.#place = place;
    this.#connect();
  }

  /** Errors: where the connection is away, or breaks before the answer is here. */
  command<T>(what: string, run: (redis: SimRedis) => T | Promise<T>): Promise<T> {
    const connection = this.#connection;
    const end = this.#end;
    if (connection === undefined || end === undefined || !this.isReady) return this.#refused(what);
    return new Promise<T>((resolve, reject) => {
      const pending: Pending = { reject };
      this.#pending.add(pending);
      const answer = (tell: () => void) => {
        const receive = () => {
          if (this.#pending.delete(pending)) tell();
        };
        connection.send(connection.server, { what: `redis answers ${what}`, receive });
      };
      const receive = () => {
        void this.#serve(what, run).then(
          (value) => answer(() => resolve(value)),
          (error: Error) => answer(() => reject(error)),
        );
      };
      connection.send(end, { what: `${this.#process.name} > redis ${what}`, receive });
      // As a connection does that sends again what it has no answer to.
      if (this.#network.isRepeated(this.#process.name, "redis")) {
        const again = () => void this.#serve(what, run).catch(() => undefined);
        connection.send(end, { what: `${this.#process.name} > redis ${what} once more`, receive: again });
      }
      this.#process.after(SILENCE_MS, "", () => {
        if (this.#pending.has(pending)) connection.breakAt(end, "redis says nothing");
      });
    });
  }

  /** As a client that keeps no commands while it is away: at once. Who asks again at once, without end, would let nothing else happen: that is a bug. */
  #refused<T>(what: string): Promise<T> {
    const nowMs = this.#process.monotonic();
    this.#refusedCount = nowMs === this.#refusedAtMs ? this.#refusedCount + 1 : 1;
    this.#refusedAtMs = nowMs;
    if (this.#refusedCount <= REFUSED_AT_ONCE_MAX) return Promise.reject(new Error("Connection is closed."));
    queueMicrotask(() => {
      throw new Error(`${this.#process.name} asks redis again and again without waiting: ${what}`);
    });
    return new Promise(() => undefined);
  }

  async #serve<T>(what: string, run: (redis: SimRedis) => T | Promise<T>): Promise<T> {
    const { redis } = this.#place();
    if (redis.isFull && !READS.test(what)) throw new Error(FULL);
    return run(redis);
  }

  #connect(): void {
    const { process } = this.#place();
    if (process.isGone) {
      this.#again();
      return;
    }
    const end: End = { process: this.#process, broken: () => this.#broken(end) };
    const connection = new SimConnection(this.#network, end, { process, broken: () => undefined });
    this.#end = end;
    this.#connection = connection;
    const receive = () => {
      this.isReady = true;
    };
    const accept = () => connection.send(connection.server, { what: `${this.#process.name} has redis`, receive });
    connection.send(end, { what: `${this.#process.name} connects to redis`, receive: accept });
    this.#process.after(SILENCE_MS / 2, "", () => {
      if (this.#end === end && !this.isReady) connection.breakAt(end, "redis does not answer");
    });
  }

  #broken(end: End): void {
    if (this.#end !== end) return;
    this.#end = undefined;
    this.#connection = undefined;
    this.isReady = false;
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { reject } of pending) reject(new Error("Connection is closed."));
    this.#again();
  }

  #again(): void {
    this.#process.after(RECONNECT_MS, "", () => this.#connect());
  }
}

/** What a call to the queue fails with. */
export const away = (cause: unknown): DroverError =>
  cause instanceof DroverError
    ? cause
    : new DroverError("unavailable", "the queue's Redis cannot be reached", { cause, retryAfterMs: 1000 });

/** The queue in a simulated Redis, by one process's connection to it. */
export class SimQueue implements QueueProducer, QueueConsumer, PayloadStore {
  readonly #link: RedisLink;
  readonly #process: SimProcess;
  readonly #place: RedisPlace;

  constructor(link: RedisLink, process: SimProcess, place: RedisPlace) {
    this.#link = link;
    this.#process = process;
    this.#place = place;
  }

  async #ask<T>(signal: AbortSignal, what: string, run: (redis: SimRedis) => T | Promise<T>): Promise<T> {
    signal.throwIfAborted();
    return this.#within(signal, this.#link.command(what, run));
  }

  async #within<T>(signal: AbortSignal, call: Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const leave = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([call, aborted.promise]);
    } catch (error) {
      throw away(error);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void> {
    return this.#ask(
      signal,
      `add ${jobs.map(({ requestId, attemptBase }) => `${requestId}/${attemptBase}`)}`,
      (redis) => redis.add(jobs),
    );
  }

  cancel(ids: readonly RequestId[], signal: AbortSignal): Promise<void> {
    return this.#ask(signal, `cancel ${ids}`, (redis) => redis.cancel(ids));
  }

  missing(jobs: readonly JobName[], signal: AbortSignal): Promise<readonly JobName[]> {
    return this.#ask(signal, "missing", (redis) => redis.missing(jobs));
  }

  async take(lane: Lane, signal: AbortSignal, only?: "front"): Promise<JobLease | undefined> {
    let isLate = false;
    const leave = () => {
      isLate = true;
    };
    signal.addEventListener("abort", leave, { once: true });
    // What comes for a taker who has left goes back.
    const taking = this.#link
      .command(`take ${lane}`, (redis) => redis.take(lane, only))
      .then((taken) => {
        const lease = taken && new SimLease(this.#link, this.#process, taken);
        if (isLate) void lease?.release(neverAborted).catch(() => undefined);
        return lease;
      });
    return this.#within(signal, taking).finally(() => signal.removeEventListener("abort", leave));
  }

  isCancelled(id: RequestId, signal: AbortSignal): Promise<boolean> {
    return this.#ask(signal, `cancelled ${id}`, (redis) => redis.isCancelled(id));
  }

  depth(signal: AbortSignal): Promise<readonly LaneDepth[]> {
    return this.#ask(signal, "depth", (redis) => redis.depth());
  }

  onAvailable(listener: () => void): () => void {
    return this.#place().redis.onAdded(() => this.#process.after(1, "", listener));
  }

  dropRouter(router: RouterId, signal: AbortSignal): Promise<number> {
    return this.#ask(signal, `drop ${router}`, (redis) => redis.dropRouter(router));
  }

  put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void> {
    return this.#ask(signal, `put ${key}`, (redis) => redis.payloads.put(key, bytes, ttlMs, neverAborted));
  }

  putIf(key: string, bytes: Uint8Array, ttlMs: number, condition: PutCondition, signal: AbortSignal): Promise<boolean> {
    const call = (redis: SimRedis) => redis.payloads.putIf(key, bytes, ttlMs, condition, neverAborted);
    return this.#ask(signal, `put ${key} if ${condition.key}`, call);
  }

  get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#ask(signal, `get ${key}`, (redis) => redis.payloads.get(key, neverAborted));
  }

  delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#ask(signal, `delete ${keys}`, (redis) => redis.payloads.delete(keys, neverAborted));
  }
}

/** The real lease, over the simulated connection. */
export function simLease(link: RedisLink, process: SimProcess, address: string): RedisLease {
  const redis = {
    get status() {
      return link.isReady ? "ready" : "connecting";
    },
    eval: (script: string, _keyCount: number, ...args: (string | number)[]) =>
      link.command("lease", (held) => leaseScript(held, script, args)),
    get: () => link.command("leader", (held) => held.leader()),
  };
  return new RedisLease(redis as unknown as ConstructorParameters<typeof RedisLease>[0], {
    cluster: "sim",
    modelId: MODEL.name,
    address,
    clock: process,
  });
}
