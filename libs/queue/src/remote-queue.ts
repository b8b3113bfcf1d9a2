import { create } from "@bufbuild/protobuf";
import {
  neverAborted,
  type PayloadStore,
  type PutCondition,
  type QueueJob,
  type QueueProducer,
  type RequestId,
} from "@drover/core";
import {
  AddJobsReplySchema,
  CancelJobsReplySchema,
  DeletePayloadsReplySchema,
  DeletePayloadsRequestSchema,
  GetPayloadRequestSchema,
  JobQueue,
  PutPayloadReplySchema,
} from "@drover/proto";
import { type RpcClient, type RpcService, rpcService } from "@drover/rpc";
import {
  addJobsFromWire,
  addJobsToWire,
  cancelJobsFromWire,
  cancelJobsToWire,
  getPayloadReplyFromWire,
  getPayloadReplyToWire,
  putPayloadFromWire,
  putPayloadToWire,
} from "@drover/wire";

/** The embedded queue's producer half and its payload store, reached over gRPC. A call takes as long as its caller's signal lets it. */
export class RemoteQueue implements QueueProducer, PayloadStore {
  readonly #client: () => RpcClient;

  /** `client` yields the connection to the scheduler that leads now. */
  constructor(client: () => RpcClient) {
    this.#client = client;
  }

  async add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void> {
    await this.#client().carried(JobQueue.method.addJobs, addJobsToWire(jobs), signal);
  }

  async cancel(requestIds: readonly RequestId[], signal: AbortSignal): Promise<void> {
    await this.#client().carried(JobQueue.method.cancelJobs, cancelJobsToWire(requestIds), signal);
  }

  async put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void> {
    await this.#client().unary(JobQueue.method.putPayload, putPayloadToWire({ key, bytes, ttlMs }), signal);
  }

  async putIf(
    key: string,
    bytes: Uint8Array,
    ttlMs: number,
    condition: PutCondition,
    signal: AbortSignal,
  ): Promise<boolean> {
    const request = putPayloadToWire({ key, bytes, ttlMs, condition });
    return !(await this.#client().unary(JobQueue.method.putPayload, request, signal)).refused;
  }

  async get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const request = create(GetPayloadRequestSchema, { key });
    return getPayloadReplyFromWire(await this.#client().unary(JobQueue.method.getPayload, request, signal));
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const request = create(DeletePayloadsRequestSchema, { keys: [...keys] });
    await this.#client().unary(JobQueue.method.deletePayloads, request, signal);
  }
}

/** Serves an embedded queue and its store to {@link RemoteQueue}. */
export function jobQueueService(queue: QueueProducer, store: PayloadStore): RpcService {
  return rpcService(JobQueue, {
    addJobs: async (request) => {
      await queue.add(addJobsFromWire(request), neverAborted);
      return create(AddJobsReplySchema);
    },
    cancelJobs: async (request) => {
      await queue.cancel(cancelJobsFromWire(request), neverAborted);
      return create(CancelJobsReplySchema);
    },
    putPayload: async (request) => {
      const { key, bytes, ttlMs, condition } = putPayloadFromWire(request);
      if (condition === undefined) await store.put(key, bytes, ttlMs, neverAborted);
      const refused = condition !== undefined && !(await store.putIf(key, bytes, ttlMs, condition, neverAborted));
      return create(PutPayloadReplySchema, { refused });
    },
    getPayload: async ({ key }) => getPayloadReplyToWire(await store.get(key, neverAborted)),
    deletePayloads: async ({ keys }) => {
      await store.delete(keys, neverAborted);
      return create(DeletePayloadsReplySchema);
    },
  });
}
