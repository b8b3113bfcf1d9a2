import { DroverError } from "@drover/core";
import { Redis } from "ioredis";

/**
 * Connects to Redis. A producer fails at once while Redis is away, since a client waits behind it; a consumer keeps trying.
 * Errors: `invalid_argument` for a URL that is none.
 */
export function openRedis(url: string, options: Readonly<{ producer: boolean }>): Redis {
  if (!/^(redis|rediss|unix):/.test(url)) {
    // Not repeated here: a URL may hold a password.
    throw new DroverError("invalid_argument", "the queue's address is not a Redis URL", { field: "queue" });
  }
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

/** The queue cannot be reached now. */
export function unreachable(cause: unknown): DroverError {
  return new DroverError("unavailable", "the queue's Redis cannot be reached", { cause, retryAfterMs: 1000 });
}

/** Redis's failures as what they mean here; the wait for a Redis that is away ends with the signal. */
export async function overRedis<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(unreachable(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([call(), aborted.promise]);
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw unreachable(cause);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
