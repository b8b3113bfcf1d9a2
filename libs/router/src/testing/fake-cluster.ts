import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DroverError,
  type JobPayload,
  type ModelId,
  modelId,
  type PayloadStore,
  type PutCondition,
  type QueueJob,
  type QueueProducer,
} from "@drover/core";
import type { ClusterState, LaneState, PlacementRecord } from "@drover/fleet";
import {
  AttentionWorker,
  type Cancel,
  Cluster,
  type GenerationRequest,
  GenerationRequestSchema,
  type RequestEventSchema,
  type RouterHello,
  WorkerMessageSchema,
} from "@drover/proto";
import { createServer, listen, type RpcHandlers, rpcService } from "@drover/rpc";
import { clusterStateOf } from "@drover/testkit";
import { clusterStateToWire, explainReplyToWire } from "@drover/wire";
import { type Server, status } from "@grpc/grpc-js";

type EventInit = NonNullable<MessageInitShape<typeof RequestEventSchema>["event"]>;
type Tokens = Parameters<RpcHandlers<typeof AttentionWorker>["tokens"]>[0];
type Watcher = Parameters<RpcHandlers<typeof Cluster>["watch"]>[0];

const notCalled = (): never => {
  throw new DroverError("internal", "a router does not call this");
};

/** A list that a test can wait on. */
class Arrivals<T> {
  readonly all: T[] = [];
  readonly #waiting: (() => void)[] = [];

  push(value: T): void {
    this.all.push(value);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The value at this place, once it has come. */
  async at(index: number): Promise<T> {
    while (this.all.length <= index) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.all[index] as T;
  }
}

/** One attention worker whose every event is written by the test. */
export class FakeWorker {
  readonly workerId: string;
  readonly incarnation: string;
  readonly hellos = new Arrivals<RouterHello>();
  readonly cancels = new Arrivals<Cancel>();
  readonly #server: Server = createServer();
  #stream: Tokens | undefined;
  /** The newest of each router. */
  readonly #streams = new Map<string, Tokens>();
  address = "";
  /** Whether its process answers nobody, as the scheduler finds it. */
  frozen = false;

  constructor(workerId: string, incarnation = "1") {
    this.workerId = workerId;
    this.incarnation = incarnation;
  }

  async start(): Promise<this> {
    const tokens = (stream: Tokens) => {
      stream.on("data", ({ message }) => {
        if (message.case === "cancel") this.cancels.push(message.value);
        if (message.case !== "hello") return;
        this.#stream = stream;
        this.#streams.set(message.value.routerId, stream);
        const { workerId, incarnation } = this;
        const hello = { workerId, incarnation, modelId: message.value.modelId };
        stream.write(create(WorkerMessageSchema, { message: { case: "hello", value: hello } }));
        this.hellos.push(message.value);
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => undefined);
    };
    this.#server.addService(...rpcService(AttentionWorker, { tokens, place: notCalled }));
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  send(requestId: string, attempt: number, ...events: EventInit[]): void {
    const value = { events: events.map((event) => ({ requestId, attempt, event })) };
    this.#stream?.write(create(WorkerMessageSchema, { message: { case: "step", value } }));
  }

  /** As `send`, to one router of several. */
  sendTo(routerId: string, requestId: string, attempt: number, ...events: EventInit[]): void {
    const value = { events: events.map((event) => ({ requestId, attempt, event })) };
    this.#streams.get(routerId)?.write(create(WorkerMessageSchema, { message: { case: "step", value } }));
  }

  /** Each byte of the text as a token, from this index on. */
  sendText(requestId: string, attempt: number, text: string, from = 0): void {
    const events = [...new TextEncoder().encode(text)].map(
      (tokenId, i): EventInit => ({ case: "token", value: { choice: 0, index: from + i, tokenId } }),
    );
    this.send(requestId, attempt, ...events);
  }

  breakStream(): void {
    this.#stream?.emit("error", Object.assign(new Error("broken"), { code: status.UNAVAILABLE }));
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

/** A scheduler's Watch, a queue and a payload store that do nothing by themselves. */
export class FakeCluster implements QueueProducer, PayloadStore {
  readonly jobs = new Arrivals<QueueJob>();
  readonly queueCancels = new Arrivals<string>();
  readonly deleted = new Arrivals<string>();
  readonly payloads = new Map<string, Uint8Array>();
  readonly modelId: ModelId;
  readonly #watchers = new Set<Watcher>();
  readonly #server: Server = createServer();
  #state: ClusterState;
  #left = false;
  addError: Error | undefined;
  /** Values that its payload store takes and does not have. */
  ignoredKeys = /^$/;
  /** Values for which its payload store has no room. */
  refusedKeys = /^$/;
  /** What its payload store answers everything with. */
  storeError: Error | undefined;
  address = "";
  /** What the scheduler remembers, by request. */
  readonly decisions = new Map<string, readonly PlacementRecord[]>();

  constructor(name = "tiny") {
    this.modelId = modelId(name);
    this.#state = clusterStateOf({ modelId: name, schedulerId: "", leaderEpoch: 0n });
  }

  async start(): Promise<this> {
    const watch = (stream: Watcher) => {
      if (this.#left) {
        stream.emit("error", gone());
        return;
      }
      this.#watchers.add(stream);
      stream.on("cancelled", () => this.#watchers.delete(stream));
      stream.write(clusterStateToWire(this.#state));
    };
    const explain = ({ requestId }: { requestId: string }) => {
      const decisions = this.decisions.get(requestId);
      if (decisions === undefined) throw new DroverError("not_found", "nothing is remembered");
      return explainReplyToWire(decisions);
    };
    this.#server.addService(...rpcService(Cluster, { watch, explain, join: notCalled, drain: notCalled }));
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  show(workers: readonly FakeWorker[], ready = true, leaderEpoch = 1n, lanes: readonly LaneState[] = []): void {
    this.#state = clusterStateOf({
      lanes,
      modelFingerprint: "fingerprint",
      modelId: this.modelId,
      leaderEpoch,
      ready,
      workers: workers.map(({ workerId, incarnation, address, frozen }) => ({
        workerId,
        incarnation,
        address,
        frozen,
        roles: ["attention"],
        status: { ready: true, contextTokensMax: 20_000 },
      })),
    });
    for (const watcher of this.#watchers) watcher.write(clusterStateToWire(this.#state));
  }

  /** Its scheduler is gone: streams end, and nobody is watched any more. */
  leave(): void {
    this.#left = true;
    for (const watcher of this.#watchers) watcher.emit("error", gone());
  }

  async add(jobs: readonly QueueJob[]): Promise<void> {
    if (this.addError !== undefined) throw this.addError;
    for (const job of jobs) this.jobs.push(job);
  }

  async cancel(requestIds: readonly string[]): Promise<void> {
    for (const id of requestIds) this.queueCancels.push(id);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (this.storeError !== undefined) throw this.storeError;
    if (this.ignoredKeys.test(key)) return;
    this.payloads.set(key, bytes);
  }

  async putIf(key: string, bytes: Uint8Array, _ttlMs: number, condition: PutCondition): Promise<boolean> {
    if (this.storeError !== undefined) throw this.storeError;
    if (this.refusedKeys.test(key)) throw new DroverError("overloaded", "the store is full");
    const found = this.payloads.get(condition.key);
    const { bytes: expected } = condition;
    const holds = found && expected ? Buffer.compare(found, expected) === 0 : found === expected;
    if (holds) this.payloads.set(key, bytes);
    return holds;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.storeError !== undefined) throw this.storeError;
    return this.payloads.get(key);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.payloads.delete(key);
      this.deleted.push(key);
    }
  }

  request(payload: JobPayload): GenerationRequest {
    const bytes = payload.kind === "inline" ? payload.bytes : this.payloads.get(payload.key);
    return fromBinary(GenerationRequestSchema, bytes ?? new Uint8Array());
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

const gone = () => Object.assign(new Error("gone"), { code: status.UNAVAILABLE });
