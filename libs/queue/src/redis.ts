import { DroverError } from "@drover/core";
import { Redis } from "ioredis";

/**
 * Connects to Redis. A producer fails at once while Redis is away, since a client waits behind it; a consumer keeps trying.
 * Errors: `invalid_argument` for a URL that is none.
 */
export function openRedis(url: string, options: Readonly<{ producer: boolean }>): Redis {
  if (!/^(redis|rediss|unix):/.test(url))
    throw new DroverError("invalid_argument", `${url} is not a Redis URL`, { field: "queue" });
  const redis = new Redis(url, {
    enableOfflineQueue: !options.producer,
    maxRetriesPerRequest: options.producer ? 1 : null,
    retryStrategy: (times) => Math.min(1000, 50 * times),
    lazyConnect: false,
  });
  // Every call reports its own failure; without a listener the connection's would end the process.
  redis.on("error", () => undefined);
  return redis;
}

/** Redis's failures as what they mean here: the queue cannot be reached now. */
export async function overRedis<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw new DroverError("unavailable", "the queue's Redis cannot be reached", { cause, retryAfterMs: 1000 });
  }
}
