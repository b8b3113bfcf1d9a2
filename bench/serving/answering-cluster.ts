// A scheduler with its queue and an attention worker in one process, which place at once and compute nothing: every request gets a letter each so many
// milliseconds, all of a router's in one message as a worker's step has them. What a router costs is then its own.
// Usage: node answering-cluster.ts MODEL STEP_MS [CONTEXT_TOKENS]; says where it is reached.
import { fromBinary } from "@bufbuild/protobuf";
import {
  neverAborted,
  type QueueJob,
  type QueueProducer,
  type RequestEvent,
  type RequestId,
  systemClock,
  type TokenEvent,
} from "@drover/core";
import { AttentionWorker, Cluster, GenerationRequestSchema } from "@drover/proto";
import { EmbeddedPayloadStore, jobQueueService } from "@drover/queue";
import { createServer, listen, type RpcHandlers, rpcService } from "@drover/rpc";
import { clusterStateOf } from "@drover/testkit";
import { clusterStateToWire, TokenColumnsWriter, workerMessageToWire } from "@drover/wire";

const [modelId = "", stepMs = "1", contextTokens = "20000"] = process.argv.slice(2);
const [FIRST_ID, ID_COUNT] = [64, 26];
const WATCH_MS = 1000;

type Running = { attempt: number; index: number; choiceCount: number; left: number; top: TokenEvent["top"] };
type Stream = Parameters<RpcHandlers<typeof AttentionWorker>["tokens"]>[0];

const running = new Map<RequestId, Running>();
const store = new EmbeddedPayloadStore(systemClock);
let router: { stream: Stream; columns: TokenColumnsWriter } | undefined;

const notCalled = (): never => {
  throw new Error("a router does not call this");
};

async function begin({ payload, requestId, attemptBase }: QueueJob): Promise<void> {
  const bytes = payload.kind === "inline" ? payload.bytes : await store.get(payload.key, neverAborted);
  if (bytes === undefined) throw new Error("a prompt is not in the store");
  const asked = fromBinary(GenerationRequestSchema, bytes);
  const sampling = asked.sampling ?? asked.constrained?.sampling ?? asked.limited?.sampling;
  const choiceCount = Math.max(1, sampling?.n ?? 1);
  const top = Array.from({ length: Math.max(0, sampling?.topLogprobs ?? 0) }, (_, i) => ({
    tokenId: FIRST_ID + i,
    logprob: -i,
  }));
  running.set(requestId, { attempt: attemptBase, index: 0, choiceCount, left: Number(sampling?.maxTokens), top });
}

function step(): void {
  const events: RequestEvent[] = [];
  for (const [requestId, one] of running) {
    const { attempt, index, choiceCount } = one;
    const tell = (event: RequestEvent["event"]) => events.push({ requestId, attempt, event });
    if (index === 0) tell({ kind: "started", startIndices: Array.from({ length: choiceCount }, () => 0) });
    one.left -= 1;
    const tokenId = FIRST_ID + (index % ID_COUNT);
    const finish = one.left === 0 ? "length" : undefined;
    for (let choice = 0; choice < choiceCount; choice++)
      tell({ kind: "token", choice, index, tokenId, logprob: 0, top: one.top, experts: new Uint16Array(0), finish });
    one.index += 1;
    if (finish === undefined) continue;
    tell({ kind: "done", cachedTokenCount: 0 });
    running.delete(requestId);
  }
  if (events.length > 0) router?.stream.write(workerMessageToWire({ kind: "step", ...router.columns.write(events) }));
  setTimeout(step, Number(stepMs));
}

const queue: QueueProducer = {
  add: async (jobs) => {
    await Promise.all(jobs.map(begin));
  },
  cancel: async (ids) => {
    for (const id of ids) running.delete(id);
  },
  missing: async () => [],
};

const server = createServer();
server.addService(...jobQueueService(queue, store));
server.addService(
  ...rpcService(AttentionWorker, {
    tokens: (stream) => {
      stream.on("data", ({ message }) => {
        if (message.case === "cancel") running.delete(message.value.requestId as RequestId);
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
                  status: { ready: true, contextTokensMax: Number(contextTokens) },
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
