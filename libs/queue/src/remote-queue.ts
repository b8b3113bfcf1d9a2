import { create } from "@bufbuild/protobuf";
import {
  neverAborted,
  type PayloadStore,
  type QueueJob,
  type QueueProducer,
  requestId,
  toDroverError,
} from "@drover/core";
import {
  AddJobsReplySchema,
  AddJobsRequestSchema,
  CancelJobsReplySchema,
  CancelJobsRequestSchema,
  DeletePayloadsReplySchema,
  DeletePayloadsRequestSchema,
  GetPayloadReplySchema,
  GetPayloadRequestSchema,
  JobQueue,
  PutPayloadReplySchema,
  PutPayloadRequestSchema,
} from "@drover/proto";
import { type RpcClient, toServiceError } from "@drover/rpc";
import type { handleUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import { jobFromWire, jobToWire } from "./job-wire.ts";

/** The embedded queue's producer half and its payload store, reached over gRPC. A call takes as long as its caller's signal lets it. */
export class RemoteQueue implements QueueProducer, PayloadStore {
  readonly #client: () => RpcClient;

  /** `client` yields the connection to the scheduler that leads now. */
  constructor(client: () => RpcClient) {
    this.#client = client;
  }

  async add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void> {
    const request = create(AddJobsRequestSchema, { jobs: jobs.map(jobToWire) });
    await this.#client().unary(JobQueue.method.addJobs, request, signal);
  }

  async cancel(requestIds: readonly string[], signal: AbortSignal): Promise<void> {
    const request = create(CancelJobsRequestSchema, { requestIds: [...requestIds] });
    await this.#client().unary(JobQueue.method.cancelJobs, request, signal);
  }

  async put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void> {
    const request = create(PutPayloadRequestSchema, { key, bytes, ttlMs: BigInt(ttlMs) });
    await this.#client().unary(JobQueue.method.putPayload, request, signal);
  }

  async get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const request = create(GetPayloadRequestSchema, { key });
    const reply = await this.#client().unary(JobQueue.method.getPayload, request, signal);
    return reply.found ? reply.bytes : undefined;
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const request = create(DeletePayloadsRequestSchema, { keys: [...keys] });
    await this.#client().unary(JobQueue.method.deletePayloads, request, signal);
  }
}

/** Serves an embedded queue and its store to {@link RemoteQueue}. */
export function jobQueueService(queue: QueueProducer, store: PayloadStore): UntypedServiceImplementation {
  const unary =
    <Request, Reply>(serve: (request: Request) => Promise<Reply>): handleUnaryCall<Request, Reply> =>
    (call, callback) => {
      serve(call.request).then(
        (reply) => callback(null, reply),
        (error: unknown) => callback(toServiceError(toDroverError(error))),
      );
    };
  return {
    addJobs: unary(async ({ jobs }: ReturnType<typeof create<typeof AddJobsRequestSchema>>) => {
      await queue.add(jobs.map(jobFromWire), neverAborted);
      return create(AddJobsReplySchema);
    }),
    cancelJobs: unary(async ({ requestIds }: ReturnType<typeof create<typeof CancelJobsRequestSchema>>) => {
      await queue.cancel(requestIds.map(requestId), neverAborted);
      return create(CancelJobsReplySchema);
    }),
    putPayload: unary(async ({ key, bytes, ttlMs }: ReturnType<typeof create<typeof PutPayloadRequestSchema>>) => {
      // The decoded bytes are a view of the whole message; the store keeps its own.
      await store.put(key, new Uint8Array(bytes), Number(ttlMs), neverAborted);
      return create(PutPayloadReplySchema);
    }),
    getPayload: unary(async ({ key }: ReturnType<typeof create<typeof GetPayloadRequestSchema>>) => {
      const bytes = await store.get(key, neverAborted);
      return create(GetPayloadReplySchema, bytes === undefined ? { found: false } : { found: true, bytes });
    }),
    deletePayloads: unary(async ({ keys }: ReturnType<typeof create<typeof DeletePayloadsRequestSchema>>) => {
      await store.delete(keys, neverAborted);
      return create(DeletePayloadsReplySchema);
    }),
  };
}
