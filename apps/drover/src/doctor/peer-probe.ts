import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type DroverError, systemClock, toDroverError, untilAborted, type WorkerRole, withTimeout } from "@drover/core";
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
} from "@drover/proto";
import { fromServiceError, RpcClient } from "@drover/rpc";
import type { ServiceError } from "@grpc/grpc-js";
import { DOCTOR_ANSWER_LIMIT } from "./limits.ts";

/** Undefined where a peer is reached and its protocol agrees. */
export type PeerFault = Pick<DroverError, "code" | "message"> | undefined;

/** Codes by which a peer says that it has read the question. */
const ANSWERS = new Set(["not_found", "not_leader", "model_not_found", "invalid_argument", "stale_epoch"]);

/** Asks a scheduler about a request that there is not. */
export function probeScheduler(address: string, signal: AbortSignal): Promise<PeerFault> {
  const request = create(ExplainRequestSchema, { requestId: "doctor" });
  return asked(address, signal, (client, limited) => client.unary(Cluster.method.explain, request, limited));
}

/** Asks a worker of the given roles something that changes nothing. */
export function probeWorker(address: string, roles: readonly WorkerRole[], signal: AbortSignal): Promise<PeerFault> {
  return asked(address, signal, async (client, limited) => {
    if (roles.includes("vision")) {
      await client.unary(VisionWorker.method.probe, create(ProbeRequestSchema), limited);
      return;
    }
    const stream = streamOf(client, roles);
    await untilAborted(heard(stream), limited).finally(() => stream.cancel());
  });
}

type Stream = Readonly<{
  cancel(): void;
  on(event: "metadata" | "end" | "data", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}>;

function streamOf(client: RpcClient, roles: readonly WorkerRole[]): Stream {
  if (roles.includes("experts")) return client.bidiStream(ExpertWorker.method.exchange);
  if (roles.includes("context"))
    return client.serverStream(ContextWorker.method.get, create(GetSegmentSchema, { sequenceId: "doctor" }));
  const stream = client.bidiStream(AttentionWorker.method.tokens);
  // A router of a model that there is not: it is refused before anything is done for it.
  const hello: MessageInitShape<typeof RouterMessageSchema> = {
    message: { case: "hello", value: { routerId: "doctor", modelId: "drover-doctor" } },
  };
  stream.write(create(RouterMessageSchema, hello));
  return stream;
}

/** Resolves at the peer's first sign. Errors: the peer's. */
function heard(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on("metadata", resolve);
    stream.on("data", resolve);
    stream.on("end", resolve);
    stream.on("error", (error) => reject(fromServiceError(error as ServiceError)));
  });
}

/** What a peer's answer says of it; one that says nothing in time has the fault `deadline_exceeded`. */
async function asked(
  address: string,
  signal: AbortSignal,
  ask: (client: RpcClient, limited: AbortSignal) => Promise<unknown>,
): Promise<PeerFault> {
  using client = new RpcClient(address);
  try {
    await withTimeout(DOCTOR_ANSWER_LIMIT, systemClock, signal, (limited) => ask(client, limited));
    return undefined;
  } catch (error) {
    const fault = toDroverError(error);
    return ANSWERS.has(fault.code) ? undefined : fault;
  }
}
