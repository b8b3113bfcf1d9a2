import type { Clock, Logger, ModelId, RequestEvent, RequestId, Resume, RouterId } from "@drover/core";
import type { ClusterState, WorkerState } from "@drover/fleet";
import { NEW_LEADER_GRACE_MS, RECONNECT_GRACE_MS } from "../limits.ts";
import type { WorkerKey } from "../requests/request-state.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { WorkerStream } from "./worker-stream.ts";

/** The requests whose events come over the streams. */
interface RequestsOfWorkers {
  /** What is still waited for from the worker. */
  resumes(worker: WorkerKey): Resume[];
  /** @param atMs when it came, on the clock's monotonic scale */
  take(worker: WorkerKey, event: RequestEvent, atMs: number): void;
  /** The worker's requests must go on elsewhere. Called once for each loss. */
  workerLost(worker: WorkerKey): void;
  /** The worker has ended in order, and holds nothing any more. */
  workerLeft(worker: WorkerKey): void;
}

export type TokenStreamsOptions = Readonly<{
  calls: ClusterCalls;
  modelId: ModelId;
  routerId: RouterId;
  clock: Clock;
  logger: Logger;
  requests: RequestsOfWorkers;
  onStreamCount: (count: number) => void;
}>;

type Entry = {
  readonly stream: WorkerStream;
  absentSinceMs: number | undefined;
  seenEpoch: bigint;
  lost: boolean;
  /** Its process does not answer, and others decode: its requests go on there, though its stream stands. */
  isFrozen: boolean;
};

const decodes = ({ roles, status, frozen }: WorkerState): boolean =>
  roles.includes("attention") && status?.ready === true && !frozen;

/** One token stream to every attention worker of the cluster, and the judgement of when one of them is gone for good. */
export class TokenStreams {
  readonly #options: TokenStreamsOptions;
  readonly #entries = new Map<WorkerKey, Entry>();
  #epoch = 0n;

  constructor(options: TokenStreamsOptions) {
    this.#options = options;
  }

  get connectedCount(): number {
    let count = 0;
    for (const { stream } of this.#entries.values()) if (stream.connected) count++;
    return count;
  }

  /** Opens streams to new workers and looks again at those that are missing. */
  update(state: ClusterState): void {
    const now = this.#options.clock.monotonic();
    this.#epoch = state.leaderEpoch;
    const named = new Set<WorkerKey>();
    const lives = new Map<string, string>();
    for (const worker of state.workers) {
      if (!worker.roles.includes("attention")) continue;
      const key = `${worker.workerId}#${worker.incarnation}`;
      named.add(key);
      lives.set(worker.workerId, worker.incarnation);
      const entry = this.#entries.get(key) ?? this.#open(key, worker);
      entry.absentSinceMs = undefined;
      entry.seenEpoch = state.leaderEpoch;
      entry.isFrozen = worker.frozen && state.workers.some(decodes);
    }
    for (const [key, entry] of this.#entries) {
      if (named.has(key)) continue;
      entry.absentSinceMs ??= now;
      if (lives.has(entry.stream.workerId)) this.#remove(key, entry);
    }
    this.sweep();
  }

  /** Gives up workers whose stream or membership has been away for too long. */
  sweep(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, entry] of [...this.#entries]) {
      const { stream, absentSinceMs } = entry;
      if (absentSinceMs !== undefined) {
        // A new leader may not have heard of a worker yet: while its stream stands, it is given time to join.
        const graceMs = entry.seenEpoch === this.#epoch ? RECONNECT_GRACE_MS : NEW_LEADER_GRACE_MS;
        if (!stream.connected || now - absentSinceMs >= graceMs) this.#remove(key, entry);
      } else if (stream.wrongLife || entry.isFrozen) {
        this.#lose(key, entry);
      } else if (stream.connected) {
        entry.lost = false;
      } else if (stream.downMs(now) >= RECONNECT_GRACE_MS) {
        this.#lose(key, entry);
      }
    }
  }

  /** To one worker, or to all of them when nobody knows which has the request. */
  cancel(worker: WorkerKey | undefined, requestId: RequestId, attempt: number, force = false): void {
    if (worker !== undefined) this.#entries.get(worker)?.stream.cancel(requestId, attempt, force);
    else for (const { stream } of this.#entries.values()) stream.cancel(requestId, attempt, force);
  }

  close(): void {
    for (const { stream } of this.#entries.values()) stream.close();
    this.#entries.clear();
  }

  #open(key: WorkerKey, worker: WorkerState): Entry {
    const { calls, modelId, routerId, clock, logger, requests, onStreamCount } = this.#options;
    const stream = new WorkerStream({
      key,
      workerId: worker.workerId,
      incarnation: worker.incarnation,
      address: worker.address,
      calls,
      modelId,
      routerId,
      clock,
      logger,
      resumes: () => requests.resumes(key),
      onEvent: (event, atMs) => requests.take(key, event, atMs),
      onChange: () => {
        onStreamCount(this.connectedCount);
        this.sweep();
      },
    });
    const entry: Entry = { stream, absentSinceMs: undefined, seenEpoch: this.#epoch, lost: false, isFrozen: false };
    this.#entries.set(key, entry);
    return entry;
  }

  #lose(key: WorkerKey, entry: Entry): void {
    if (entry.lost) return;
    entry.lost = true;
    if (entry.stream.left) {
      this.#options.logger.info("worker.left", { worker: key });
      this.#options.requests.workerLeft(key);
      return;
    }
    this.#options.logger.warn("worker.lost", { worker: key });
    this.#options.requests.workerLost(key);
  }

  #remove(key: WorkerKey, entry: Entry): void {
    this.#entries.delete(key);
    entry.stream.close();
    this.#lose(key, entry);
    this.#options.onStreamCount(this.connectedCount);
  }
}
