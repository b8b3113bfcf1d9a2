// A scheduler with its queue and an attention worker in one process, which place at once and compute nothing: every request gets a letter each so many
// milliseconds, all of a router's in one message as a worker's step has them. What a router costs is then its own.
// Usage: node answering-cluster.ts MODEL STEP_MS; says where it is reached.
import { fromBinary } from "@bufbuild/protobuf";
import type { PayloadStore, QueueJob, QueueProducer, RequestEvent, requestId } from "@drover/core";
import { AttentionWorker, Cluster, GenerationRequestSchema } from "@drover/proto";
import { jobQueueService } from "@drover/queue";
import { createServer, listen, type RpcHandlers, rpcService } from "@drover/rpc";
import { clusterStateOf } from "@drover/testkit";
import { clusterStateToWire, TokenColumnsWriter, workerMessageToWire } from "@drover/wire";

const [modelId = "", stepMs = "1"] = process.argv.slice(2);
const [FIRST_ID, ID_COUNT] = [64, 26];
const WATCH_MS = 1000;

type Running = { requestId: ReturnType<typeof requestId>; attempt: number; index: number; left: number };
type Stream = Parameters<RpcHandlers<typeof AttentionWorker>["tokens"]>[0];

const running = new Set<Running>();
let router: { stream: Stream; columns: TokenColumnsWriter } | undefined;

const notCalled = (): never => {
  throw new Error("a router does not call this");
};

function begin({ payload, requestId: id, attemptBase }: QueueJob): void {
  if (payload.kind !== "inline") throw new Error("a prompt is too long to be measured by this");
  const { sampling } = fromBinary(GenerationRequestSchema, payload.bytes);
  running.add({ requestId: id, attempt: attemptBase, index: 0, left: Number(sampling?.maxTokens) });
}

function step(): void {
  const events: RequestEvent[] = [];
  for (const one of running) {
    const { requestId: id, attempt, index } = one;
    const tell = (event: RequestEvent["event"]) => events.push({ requestId: id, attempt, event });
    if (index === 0) tell({ kind: "started", startIndices: [0] });
    one.left -= 1;
    const tokenId = FIRST_ID + (index % ID_COUNT);
    const finish = one.left === 0 ? "length" : undefined;
    tell({ kind: "token", choice: 0, index, tokenId, logprob: 0, top: [], experts: new Uint16Array(0), finish });
    one.index += 1;
    if (finish === undefined) continue;
    tell({ kind: "done", cachedTokenCount: 0 });
    running.delete(one);
  }
  if (events.length > 0) router?.stream.write(workerMessageToWire({ kind: "step", ...router.columns.write(events) }));
  setTimeout(step, Number(stepMs));
}

const queue: QueueProducer = {
  add: async (jobs) => jobs.forEach(begin),
  cancel: async () => undefined,
  missing: async () => [],
};
const store: PayloadStore = {
  put: async () => undefined,
  putIf: async () => true,
  get: async () => undefined,
  delete: async () => undefined,
};

const server = createServer();
server.addService(...jobQueueService(queue, store));
server.addService(
  ...rpcService(AttentionWorker, {
    tokens: (stream) => {
      stream.on("data", ({ message }) => {
        if (message.case !== "hello") return;
        router = { stream, columns: new TokenColumnsWriter() };
        const hello = { kind: "hello", workerId: "attention-0", incarnation: "1", modelId } as const;
        stream.write(workerMessageToWire(hello));
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => undefined);
    },
    place: notCalled,
  }),
);
server.addService(
  ...rpcService(Cluster, {
    watch: (stream) => {
      const tell = () =>
        stream.write(
          clusterStateToWire(
            clusterStateOf({
              ...{ modelId, leaderEpoch: 1n, ready: true, modelFingerprint: "fingerprint" },
              workers: [
                {
                  ...{ workerId: "attention-0", incarnation: "1", address, roles: ["attention"] },
                  status: { ready: true, contextTokensMax: 20_000 },
                },
              ],
            }),
          ),
        );
      tell();
      const telling = setInterval(tell, WATCH_MS);
      stream.on("cancelled", () => clearInterval(telling));
    },
    explain: notCalled,
    join: notCalled,
    drain: notCalled,
  }),
);
const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
console.log(address);
step();
