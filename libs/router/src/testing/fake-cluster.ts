import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DroverError,
  type JobPayload,
  type ModelId,
  modelId,
  type PayloadStore,
  type QueueJob,
  type QueueProducer,
} from "@drover/core";
import {
  AttentionWorker,
  type Cancel,
  Cluster,
  type ClusterState,
  ClusterStateSchema,
  type ExplainReply,
  ExplainReplySchema,
  type ExplainRequest,
  type GenerationRequest,
  GenerationRequestSchema,
  type PlacementDecisionSchema,
  type RequestEventSchema,
  type RouterHello,
  type RouterMessage,
  type WorkerMessage,
  WorkerMessageSchema,
  WorkerRole,
} from "@drover/proto";
import { createServer, listen, serviceDefinition, toServiceError } from "@drover/rpc";
import {
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

type EventInit = NonNullable<MessageInitShape<typeof RequestEventSchema>["event"]>;
type Tokens = ServerDuplexStream<RouterMessage, WorkerMessage>;

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
  address = "";

  constructor(workerId: string, incarnation = "1") {
    this.workerId = workerId;
    this.incarnation = incarnation;
  }

  async start(): Promise<this> {
    const tokens = (stream: Tokens) => {
      stream.on("data", ({ message }: RouterMessage) => {
        if (message.case === "cancel") this.cancels.push(message.value);
        if (message.case !== "hello") return;
        this.#stream = stream;
        const { workerId, incarnation } = this;
        const hello = { workerId, incarnation, modelId: message.value.modelId };
        stream.write(create(WorkerMessageSchema, { message: { case: "hello", value: hello } }));
        this.hellos.push(message.value);
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => undefined);
    };
    this.#server.addService(serviceDefinition(AttentionWorker), { tokens } as unknown as UntypedServiceImplementation);
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  send(requestId: string, attempt: number, ...events: EventInit[]): void {
    const value = { events: events.map((event) => ({ requestId, attempt, event })) };
    this.#stream?.write(create(WorkerMessageSchema, { message: { case: "step", value } }));
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
  readonly #watchers = new Set<ServerWritableStream<unknown, ClusterState>>();
  readonly #server: Server = createServer();
  #state: ClusterState = create(ClusterStateSchema, {});
  addError: Error | undefined;
  address = "";
  /** What the scheduler remembers, by request. */
  readonly decisions = new Map<string, MessageInitShape<typeof PlacementDecisionSchema>[]>();

  constructor(name = "tiny") {
    this.modelId = modelId(name);
  }

  async start(): Promise<this> {
    const watch = (stream: ServerWritableStream<unknown, ClusterState>) => {
      this.#watchers.add(stream);
      stream.on("cancelled", () => this.#watchers.delete(stream));
      stream.write(this.#state);
    };
    const explain = (
      { request }: ServerUnaryCall<ExplainRequest, ExplainReply>,
      callback: sendUnaryData<ExplainReply>,
    ): void => {
      const decisions = this.decisions.get(request.requestId);
      if (decisions === undefined) callback(toServiceError(new DroverError("not_found", "nothing is remembered")));
      else callback(null, create(ExplainReplySchema, { decisions }));
    };
    this.#server.addService(serviceDefinition(Cluster), { watch, explain } as unknown as UntypedServiceImplementation);
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  show(
    workers: readonly FakeWorker[],
    ready = true,
    leaderEpoch = 1n,
    lanes: MessageInitShape<typeof ClusterStateSchema>["lanes"] = [],
  ): void {
    this.#state = create(ClusterStateSchema, {
      lanes,
      modelFingerprint: "fingerprint",
      modelId: this.modelId,
      schedulerId: "s",
      leaderEpoch,
      ready,
      workers: workers.map(({ workerId, incarnation, address }) => ({
        workerId,
        incarnation,
        address,
        roles: [WorkerRole.ATTENTION],
        status: { ready: true, contextTokensMax: 20_000n },
      })),
    });
    for (const watcher of this.#watchers) watcher.write(this.#state);
  }

  async add(jobs: readonly QueueJob[]): Promise<void> {
    if (this.addError !== undefined) throw this.addError;
    for (const job of jobs) this.jobs.push(job);
  }

  async cancel(requestIds: readonly string[]): Promise<void> {
    for (const id of requestIds) this.queueCancels.push(id);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.payloads.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
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
