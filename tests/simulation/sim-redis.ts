import {
  type Clock,
  DroverError,
  type JobLease,
  type JobName,
  type Lane,
  neverAborted,
  type QueueJob,
  type RequestId,
} from "@drover/core";
import { EmbeddedPayloadStore, EmbeddedQueue } from "@drover/queue";

/** How long a job's lock outlives its last extension, and how often locks that have run out are looked for, as BullMQ is told by `libs/queue`. */
const LOCK_MS = 10_000;
const STALLED_MS = 5000;

type Lock = { readonly lease: JobLease; readonly key: string; readonly attempt: number; untilMs: number };

/** What was taken: its number is the delivery's, by which its holder is known. */
export type TakenJob = Readonly<{ job: QueueJob; attempt: number; lock: number }>;

const keyOf = ({ requestId, attemptBase }: Pick<JobName, "requestId" | "attemptBase">): string =>
  `${requestId} ${attemptBase}`;

/**
 * What the queue's Redis has and does, as far as Drover uses it: jobs with locks that run out, names of jobs that were here, tombstones,
 * payloads, and the leader's lease. Commands are functions of it that are called when they arrive.
 */
export class SimRedis {
  readonly #clock: Clock;
  #queue: EmbeddedQueue;
  #payloads: EmbeddedPayloadStore;
  #locks = new Map<number, Lock>();
  #lockCount = 0;
  /** Jobs that wait or are locked. */
  #here = new Set<string>();
  #deliveries = new Map<string, number>();
  #lease: Readonly<{ holder: string; untilMs: number }> | undefined;
  #epoch = 0;
  /** Its disk is full: it takes no write. */
  isFull = false;
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#queue = new EmbeddedQueue(clock);
    this.#payloads = new EmbeddedPayloadStore(clock);
  }

  /** Jobs that wait or are locked. */
  async jobCount(): Promise<number> {
    const depths = await this.depth();
    return depths.reduce((sum, { waitingCount }) => sum + waitingCount, this.#locks.size);
  }

  get payloads(): EmbeddedPayloadStore {
    return this.#payloads;
  }

  /** All data is lost. */
  forget(): void {
    this.#queue = new EmbeddedQueue(this.#clock);
    this.#payloads = new EmbeddedPayloadStore(this.#clock);
    this.#locks = new Map();
    this.#here = new Set();
    this.#deliveries = new Map();
    this.#lease = undefined;
    this.#epoch = 0;
  }

  async add(jobs: readonly QueueJob[]): Promise<void> {
    for (const job of jobs) if (!this.#deliveries.has(keyOf(job))) this.#here.add(keyOf(job));
    for (const job of jobs) if (!this.#deliveries.has(keyOf(job))) this.#deliveries.set(keyOf(job), 0);
    await this.#queue.add(jobs, neverAborted);
    this.announce();
  }

  async cancel(ids: readonly RequestId[]): Promise<void> {
    await this.#queue.cancel(ids, neverAborted);
    const locked = new Set([...this.#locks.values()].map(({ key }) => key));
    for (const key of [...this.#here])
      if (!locked.has(key) && ids.some((id) => key.startsWith(`${id} `))) this.#here.delete(key);
  }

  missing(jobs: readonly JobName[]): readonly JobName[] {
    return jobs.filter((job) => !this.#here.has(keyOf(job)));
  }

  isCancelled(id: RequestId): Promise<boolean> {
    return this.#queue.isCancelled(id, neverAborted);
  }

  depth(): ReturnType<EmbeddedQueue["depth"]> {
    return this.#queue.depth(neverAborted);
  }

  async dropRouter(router: QueueJob["routerId"]): Promise<number> {
    return this.#queue.dropRouter(router, neverAborted);
  }

  async take(lane: Lane, only?: "front"): Promise<TakenJob | undefined> {
    const lease = await this.#queue.take(lane, neverAborted, only);
    if (lease === undefined) return undefined;
    const { job } = lease;
    const key = keyOf(job);
    const delivered = this.#deliveries.get(key) ?? 0;
    this.#deliveries.set(key, delivered + 1);
    const lock = ++this.#lockCount;
    const attempt = job.attemptBase + delivered;
    this.#locks.set(lock, { lease, key, attempt, untilMs: this.#clock.monotonic() + LOCK_MS });
    return { job, attempt, lock };
  }

  /** False where the lock has run out. */
  extend(lock: number): boolean {
    const held = this.#locks.get(lock);
    if (held === undefined) return false;
    held.untilMs = this.#clock.monotonic() + LOCK_MS;
    return true;
  }

  async complete(lock: number): Promise<void> {
    const { lease, key } = this.#held(lock);
    this.#locks.delete(lock);
    this.#here.delete(key);
    await lease.complete(neverAborted);
  }

  async release(lock: number): Promise<void> {
    const { lease } = this.#held(lock);
    this.#locks.delete(lock);
    await lease.release(neverAborted);
  }

  /** Gives jobs back whose lock has run out. To be called every `STALLED_MS`. */
  async giveBackStalled(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    for (const [lock, { untilMs }] of [...this.#locks]) if (untilMs <= nowMs) await this.release(lock);
  }

  /** `SET NX PX` and `INCR`, as the script of the lease has them: an epoch, or that of who leads below zero. */
  acquire(holder: string, leaseMs: number, known: number): number {
    if (this.#leader() !== undefined) return -this.#epoch;
    this.#lease = { holder, untilMs: this.#clock.monotonic() + leaseMs };
    this.#epoch = Math.max(this.#epoch + 1, Math.floor(this.#clock.now() / 1000) * 10, known + 1);
    return this.#epoch;
  }

  renew(holder: string, leaseMs: number): number {
    if (this.#leader() !== holder) return 0;
    this.#lease = { holder, untilMs: this.#clock.monotonic() + leaseMs };
    return 1;
  }

  giveUp(holder: string): number {
    if (this.#leader() !== holder) return 0;
    this.#lease = undefined;
    return 1;
  }

  leader(): string | null {
    return this.#leader() ?? null;
  }

  onAdded(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Looks for locks that have run out, for as long as the process lives. */
  async watch(): Promise<void> {
    for (;;) {
      await this.#clock.sleep(STALLED_MS, neverAborted);
      await this.giveBackStalled();
    }
  }

  #leader(): string | undefined {
    return this.#lease !== undefined && this.#lease.untilMs > this.#clock.monotonic() ? this.#lease.holder : undefined;
  }

  #held(lock: number): Lock {
    const held = this.#locks.get(lock);
    if (held === undefined) throw new DroverError("unavailable", "the job's lock was lost");
    return held;
  }
}

/** The three scripts of the leader's lease, by what only one of them says. */
export function leaseScript(redis: SimRedis, script: string, args: readonly (string | number)[]): number {
  const isAcquire = script.includes('"NX"');
  const [holder, leaseMs, known] = isAcquire ? args.slice(2) : args.slice(1);
  if (isAcquire) return redis.acquire(String(holder), Number(leaseMs), Number(known));
  if (script.includes('"pexpire"')) return redis.renew(String(holder), Number(leaseMs));
  return redis.giveUp(String(holder));
}
