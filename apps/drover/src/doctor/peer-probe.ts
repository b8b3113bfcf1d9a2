import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type DroverError, toDroverError, withTimeout } from "@drover/core";
import {
  AttentionWorker,
  Cluster,
  ContextWorker,
  ExpertWorker,
  ExplainRequestSchema,
  GetSegmentSchema,
  ProbeRequestSchema,
  RouterMessageSchema,
  VisionWorker,
  WorkerRole,
} from "@drover/proto";
import { fromServiceError, RpcClient } from "@drover/rpc";
import type { ServiceError } from "@grpc/grpc-js";
import { DOCTOR_ANSWER_MS_MAX } from "./limits.ts";

/** Undefined where a peer is reached and its protocol agrees. */
export type PeerFault = Pick<DroverError, "code" | "message"> | undefined;

/** Codes by which a peer says that it has read the question. */
const ANSWERS = new Set(["not_found", "not_leader", "model_not_found", "invalid_argument", "stale_epoch"]);

/** Asks a scheduler about a request that there is not. */
export function probeScheduler(address: string, signal: AbortSignal): Promise<PeerFault> {
  return asked(address, (client) =>
    client.unary(
      Cluster.method.explain,
      create(ExplainRequestSchema, { requestId: "doctor" }),
      signal,
      DOCTOR_ANSWER_MS_MAX,
    ),
  );
}

/** Asks a worker of the given roles something that changes nothing. */
export function probeWorker(address: string, roles: readonly WorkerRole[], signal: AbortSignal): Promise<PeerFault> {
  return asked(address, (client) => {
    if (roles.includes(WorkerRole.VISION)) {
      return client.unary(VisionWorker.method.probe, create(ProbeRequestSchema), signal, DOCTOR_ANSWER_MS_MAX);
    }
    const stream = streamOf(client, roles);
    return heard(stream, withTimeout(DOCTOR_ANSWER_MS_MAX, signal)).finally(() => stream.cancel());
  });
}

type Stream = Readonly<{
  cancel(): void;
  on(event: "metadata" | "end" | "data", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}>;

function streamOf(client: RpcClient, roles: readonly WorkerRole[]): Stream {
  if (roles.includes(WorkerRole.EXPERTS)) return client.bidiStream(ExpertWorker.method.exchange);
  if (roles.includes(WorkerRole.CONTEXT))
    return client.serverStream(ContextWorker.method.get, create(GetSegmentSchema, { sequenceId: "doctor" }));
  const stream = client.bidiStream(AttentionWorker.method.tokens);
  // A router of a model that there is not: it is refused before anything is done for it.
  const hello: MessageInitShape<typeof RouterMessageSchema> = {
    message: { case: "hello", value: { routerId: "doctor", modelId: "drover-doctor" } },
  };
  stream.write(create(RouterMessageSchema, hello));
  return stream;
}

/** Errors: the peer's, and `deadline_exceeded` where it says nothing. */
function heard(stream: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on("metadata", resolve);
    stream.on("data", resolve);
    stream.on("end", resolve);
    stream.on("error", (error) => reject(fromServiceError(error as ServiceError)));
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function asked(address: string, ask: (client: RpcClient) => Promise<unknown>): Promise<PeerFault> {
  using client = new RpcClient(address);
  try {
    await ask(client);
    return undefined;
  } catch (error) {
    const fault = toDroverError(error);
    return ANSWERS.has(fault.code) ? undefined : fault;
  }
}
