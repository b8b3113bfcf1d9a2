import { isFailedAssertion, type JobLease, neverAborted, type QueueConsumer } from "@drover/core";
import type { PlaceReply, PlaceRequest } from "@drover/proto";
import type { RpcService } from "@drover/rpc";
import type { SimProcess } from "@drover/testkit";
import { generationRequestFromWire } from "@drover/wire";
import { isCalm, type Plan } from "./plan.ts";
import type { Join, Seams } from "./seams.ts";
import type { SimClient } from "./sim-client.ts";
import type { SimCluster } from "./sim-cluster.ts";

/** How a request may end that was not answered: what a client may do something about, and nothing else. */
const HONEST_ENDS = ["unavailable", "overloaded", "deadline_exceeded"];

/** Answers of a worker that send a job elsewhere; any other one may end it. */
const GOES_ELSEWHERE = ["", "overloaded", "unavailable", "stale_epoch"];

/** A client that has left is worked for no longer than this. */
const WORKED_FOR_MS = 700;

/** Longer than a worker refuses an older leader for. */
const STALE_LEADER_MS = 30_000;

/** Watches a cluster for what must never be. The first violation ends a history. */
export class Observer {
  readonly violations: string[] = [];
  /** Those that a history is lived with: the given ones, nearer to the product than what watches. */
  readonly seams: Seams;
  clients: readonly SimClient[] = [];
  now: () => number = () => 0;
  /** Requests that a worker has taken, or has ended by what it said. */
  readonly #taken = new Set<string>();
  /** Those that have left too short a time ago for nobody to work for them. */
  readonly #leaving = new Set<SimClient>();
  /** The newest leader that each life of a worker has obeyed, and when it last heard of it. */
  readonly #leaders = new Map<SimProcess, { epoch: bigint; heardMs: number }>();

  constructor(seams: Seams) {
    this.seams = {
      ...seams,
      join: (join, worker) => {
        const watched = this.#watchedJoin(join, worker);
        return seams.join?.(watched, worker) ?? watched;
      },
      service: (service, process) => this.#watchedPlaces(seams.service?.(service, process) ?? service, process),
      consumer: (consumer, scheduler) => {
        const watched = this.#watchedJobs(consumer);
        return seams.consumer?.(watched, scheduler) ?? watched;
      },
    };
  }

  violated(sentence: string): void {
    this.violations.push(`${this.now().toFixed(0)} ms: ${sentence}`);
  }

  /** A process has crashed by a fault of its own. */
  bug(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.violated(`${isFailedAssertion(error) ? "an assertion failed" : "a process broke"}: ${text}`);
  }

  /** What would end a process is a violation, until it is disposed. */
  catchBugs(): Disposable {
    const kinds = ["uncaughtException", "unhandledRejection"] as const;
    const before = kinds.map((kind) => process.listeners(kind as "uncaughtException"));
    const hear = (error: unknown) => this.bug(error);
    for (const kind of kinds) process.removeAllListeners(kind).on(kind, hear);
    return {
      [Symbol.dispose]: () => {
        for (const [i, kind] of kinds.entries()) {
          process.off(kind, hear);
          for (const listener of before[i] ?? []) process.on(kind as "uncaughtException", listener);
        }
      },
    };
  }

  /** How a client's request ended. */
  ended({ name, end }: SimClient): void {
    if (end?.kind === "refused" && !HONEST_ENDS.includes(end.code))
      this.violated(`${name} was told ${end.code}: ${end.message}`);
  }

  /** A client has left: where nothing else goes wrong, nobody works for it soon after. */
  left(client: SimClient, cluster: SimCluster, plan: Plan): void {
    const leftMs = this.now();
    if (!client.isOver) this.#leaving.add(client);
    cluster.world.after(WORKED_FOR_MS, undefined, "", () => {
      this.#leaving.delete(client);
      if (!isCalm(plan, leftMs, this.now())) return;
      const isWorkedFor = (one: SimClient) => this.#leaving.has(one) || (one.router !== undefined && !one.isOver);
      const owed = this.clients.filter(isWorkedFor);
      const wanted = owed.reduce((sum, { plan: { choiceCount } }) => sum + choiceCount, 0);
      const worked = loadOf(cluster);
      if (worked > wanted) this.violated(`${worked} choices run for ${wanted} since ${client.name} has left`);
    });
  }

  /** Nothing is asked any more: nothing may be left of what was. */
  async atRest(cluster: SimCluster): Promise<void> {
    for (const [name, { process, parts, storage }] of cluster.workers) {
      if (process.isGone || parts === undefined || storage === undefined) continue;
      const { sequences } = parts.executor;
      const { runningCount, waitingCount } = parts.engine.load();
      if (runningCount + waitingCount > 0) this.violated(`${name} still works for ${runningCount + waitingCount}`);
      if (sequences.kvBytesUsed > 0) this.violated(`${name} holds ${sequences.kvBytesUsed} bytes for nobody`);
      try {
        sequences.cache.checkIntegrity();
      } catch (error) {
        this.bug(error);
      }
      const accounted = sequences.kvUse.global.cached + sequences.kvUse.local.cached + sequences.kvBytesUsed;
      if (accounted !== storage.byteCount) this.violated(`${name} accounts ${accounted} of ${storage.byteCount} bytes`);
    }
    for (const [name, { process, admission }] of cluster.routers)
      if (!process.isGone && admission.inFlight > 0) this.violated(`${name} holds ${admission.inFlight} requests`);
    for (const [name, { process, queue }] of cluster.schedulers) {
      const depths = process.isGone ? [] : ((await queue?.depth(neverAborted)) ?? []);
      for (const { lane, waitingCount } of depths)
        if (waitingCount > 0) this.violated(`${waitingCount} jobs wait in ${name}'s lane ${lane}`);
    }
    const left = (await cluster.redis?.jobCount()) ?? 0;
    if (left > 0) this.violated(`${left} jobs are left in Redis`);
  }

  /** No older leader is obeyed. */
  #watchedJoin(join: Join, worker: SimProcess): Join {
    return (address, listener) => {
      let isStale = false;
      return join(address, {
        ...listener,
        onHeaders: () => listener.onHeaders(),
        onDrain: () => listener.onDrain(),
        onEnd: (reason) => listener.onEnd(reason),
        onMessage: (order) => {
          if (isStale) this.violated(`${worker.name} goes on with an older leader at ${address}`);
          const known = this.#leaders.get(worker);
          const nowMs = worker.monotonic();
          if (order?.kind === "accepted") {
            const { leaderEpoch: epoch } = order;
            isStale = known !== undefined && epoch < known.epoch && nowMs - known.heardMs < STALE_LEADER_MS - 5000;
            if (!isStale) this.#leaders.set(worker, { epoch, heardMs: nowMs });
          } else if (known !== undefined && !isStale) known.heardMs = nowMs;
          listener.onMessage(order);
        },
      });
    };
  }

  /** No worker takes a request of an older leader; what it takes is remembered. */
  #watchedPlaces(service: RpcService, worker: SimProcess): RpcService {
    const [definition, implementation] = service;
    const { place } = implementation;
    if (place === undefined) return service;
    const handle = place as unknown as (call: PlaceCall, reply: PlaceCallback) => void;
    const watched = (call: PlaceCall, callback: PlaceCallback) =>
      handle(call, (error, reply) => {
        const { leaderEpoch, payload } = call.request;
        const { requestId } = generationRequestFromWire(payload);
        if (reply?.accepted || !GOES_ELSEWHERE.includes(reply?.refusalCode ?? "")) this.#taken.add(requestId);
        const known = this.#leaders.get(worker)?.epoch ?? 0n;
        if (reply?.accepted && leaderEpoch < known)
          this.violated(`${worker.name} obeys epoch ${leaderEpoch} and has joined ${known}`);
        callback(error, reply);
      });
    return [definition, { ...implementation, place: watched as unknown as typeof place }];
  }

  /** No job leaves the queue whose request still waits and is with nobody. */
  #watchedJobs(consumer: QueueConsumer): QueueConsumer {
    return {
      take: async (lane, signal, only) => {
        const lease = await consumer.take(lane, signal, only);
        return lease && this.#watchedLease(lease);
      },
      isCancelled: (id, signal) => consumer.isCancelled(id, signal),
      depth: (signal) => consumer.depth(signal),
      onAvailable: (listener) => consumer.onAvailable(listener),
      dropRouter: (router, signal) => consumer.dropRouter(router, signal),
    };
  }

  #watchedLease(lease: JobLease): JobLease {
    const { requestId } = lease.job;
    return {
      job: lease.job,
      attempt: lease.attempt,
      lost: lease.lost,
      release: (signal, delivery) => lease.release(signal, delivery),
      complete: (signal) => {
        const client = this.clients.find((one) => one.requestId === requestId);
        if (client?.isOwed === true && !this.#taken.has(requestId))
          this.violated(`the job of ${client.name} is ended, and no worker has it`);
        return lease.complete(signal);
      },
    };
  }
}

type PlaceCall = Readonly<{ request: PlaceRequest }>;
type PlaceCallback = (error: unknown, reply?: PlaceReply) => void;

/** Choices that workers have, running or waiting. */
function loadOf(cluster: SimCluster): number {
  let sum = 0;
  for (const { process, parts } of cluster.workers.values()) {
    if (process.isGone || parts === undefined) continue;
    const { runningCount, waitingCount } = parts.engine.load();
    sum += runningCount + waitingCount;
  }
  return sum;
}
