import {
  DroverError,
  type JobLease,
  LANES,
  type Lane,
  type LaneDepth,
  modelId,
  type PayloadStore,
  type QueueConsumer,
  type QueueJob,
  type RequestId,
  type RouterId,
  requestId,
  routerId,
} from "@drover/core";

export const job = (id: string, fields: Partial<QueueJob> = {}): QueueJob => ({
  requestId: requestId(id),
  modelId: modelId("nano"),
  routerId: routerId("router-1"),
  lane: "short",
  front: false,
  attemptBase: 0,
  deadlineMs: Number.MAX_SAFE_INTEGER,
  enqueuedAtMs: 0,
  promptTokenCount: 10,
  newTokenCountMax: 10,
  choiceCount: 1,
  blockHashes: new Uint8Array(),
  payload: { kind: "inline", bytes: new TextEncoder().encode(id) },
  ...fields,
});

type Entry = { readonly job: QueueJob; deliveries: number };

/** The consumer's port over plain arrays, with a record of how each lease ended. */
export class FakeQueue implements QueueConsumer, Pick<PayloadStore, "get"> {
  readonly waiting: Record<Lane, Entry[]> = { short: [], long: [] };
  readonly ended: string[] = [];
  readonly cancelled = new Set<RequestId>();
  readonly payloads = new Map<string, Uint8Array>();
  readonly droppedRouters: RouterId[] = [];
  takeCount = 0;
  heldCount = 0;
  failing = false;
  readonly #listeners = new Set<() => void>();

  add(...jobs: QueueJob[]): void {
    for (const one of jobs) {
      const waiting = this.waiting[one.lane];
      const behind = one.front ? waiting.findIndex(({ job: other }) => !other.front) : -1;
      waiting.splice(behind < 0 ? waiting.length : behind, 0, { job: one, deliveries: 0 });
    }
    for (const listener of this.#listeners) listener();
  }

  async take(lane: Lane, _signal?: AbortSignal, only?: "front"): Promise<JobLease | undefined> {
    if (this.failing) throw new DroverError("unavailable", "the queue is away");
    if (only === "front" && this.waiting[lane][0]?.job.front !== true) return undefined;
    this.takeCount += 1;
    const entry = this.waiting[lane].shift();
    if (entry === undefined) return undefined;
    this.heldCount += 1;
    const end = (how: string) => {
      this.heldCount -= 1;
      this.ended.push(`${entry.job.requestId} ${how}`);
    };
    return {
      job: entry.job,
      attempt: entry.job.attemptBase + entry.deliveries,
      lost: new AbortController().signal,
      complete: async () => end("complete"),
      release: async (_signal, delivery = "unused") => {
        end(`release ${delivery}`);
        if (delivery === "spent") entry.deliveries += 1;
        const waiting = this.waiting[lane];
        const first = entry.job.front ? 0 : waiting.findIndex(({ job: other }) => !other.front);
        waiting.splice(first < 0 ? waiting.length : first, 0, entry);
      },
    };
  }

  async isCancelled(id: RequestId): Promise<boolean> {
    return this.cancelled.has(id);
  }

  async depth(): Promise<readonly LaneDepth[]> {
    return LANES.map((lane) => ({
      lane,
      waitingCount: this.waiting[lane].length,
      oldestEnqueuedAtMs: this.waiting[lane][0]?.job.enqueuedAtMs,
    }));
  }

  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async dropRouter(router: RouterId): Promise<number> {
    this.droppedRouters.push(router);
    return 0;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.payloads.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.payloads.get(key);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.payloads.delete(key);
  }
}
