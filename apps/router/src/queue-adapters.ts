import {
  type Clock,
  DroverError,
  type Logger,
  type ModelId,
  type PayloadStore,
  type QueueProducer,
} from "@drover/core";
import { BullQueue, openRedis, RedisPayloadStore, RemoteQueue } from "@drover/queue";
import { RpcClient } from "@drover/rpc";

/** Where this router puts its requests, and where large ones are kept. */
export type QueueAdapters = AsyncDisposable &
  Readonly<{
    queue: QueueProducer;
    store: PayloadStore;
    /** Why nothing can be put there now; null when it can. Whether a queue in the scheduler can be reached, the router knows by itself. */
    trouble: () => string | null;
  }>;

export type QueueAdapterOptions = Readonly<{
  /** `scheduler`, or Redis's URL. */
  url: string;
  schedulers: readonly string[];
  cluster: string;
  modelId: ModelId;
  clock: Clock;
  logger: Logger;
}>;

/** Errors: `invalid_argument` for a URL that is neither, or for several schedulers with a queue inside of one. */
export function openQueue({ url, schedulers, cluster, modelId, clock, logger }: QueueAdapterOptions): QueueAdapters {
  if (url === "scheduler") {
    const [address] = schedulers;
    if (address === undefined || schedulers.length > 1)
      throw new DroverError("invalid_argument", "a queue in the scheduler needs exactly one scheduler", {
        field: "scheduler",
      });
    const client = new RpcClient(address);
    const remote = new RemoteQueue(() => client);
    return {
      queue: remote,
      store: remote,
      trouble: () => null,
      [Symbol.asyncDispose]: async () => client[Symbol.dispose](),
    };
  }
  const redis = openRedis(url, { producer: true, logger });
  const queue = new BullQueue({ redis, cluster, modelId, clock });
  return {
    queue,
    store: new RedisPayloadStore(redis, cluster),
    trouble: () => redis.trouble ?? null,
    [Symbol.asyncDispose]: async () => {
      await queue.close();
      redis.disconnect();
    },
  };
}
