import { DroverError, type Logger, untilAborted } from "@drover/core";
import { Redis } from "ioredis";
import { RECONNECT_MS, RECONNECT_MS_MAX, RETRY_AFTER_MS, SILENCE_MS_MAX } from "./limits.ts";

export type RedisOptions = Readonly<{
  producer: boolean;
  /** Told once why Redis is waited for, and when it is there. */
  logger?: Logger;
}>;

/**
 * Connects to Redis, whenever it comes and wherever its name leads then. A producer fails at once while Redis is away, since a client waits
 * behind it; a consumer keeps trying. Errors: `invalid_argument` for a URL that is none.
 */
export function openRedis(url: string, options: RedisOptions): Redis {
  if (!/^(redis|rediss|unix):/.test(url)) {
    // Not repeated here: a URL may hold a password.
    throw new DroverError("invalid_argument", "the queue's address is not a Redis URL", { field: "queue" });
  }
  const redis = new Redis(url, {
    enableOfflineQueue: !options.producer,
    maxRetriesPerRequest: options.producer ? 1 : null,
    retryStrategy: (times) => Math.min(RECONNECT_MS_MAX, RECONNECT_MS * times),
    lazyConnect: false,
    keepAlive: SILENCE_MS_MAX,
    socketTimeout: SILENCE_MS_MAX,
  });
  let waiting = false;
  // Every call reports its own failure; without a listener the connection's would end the process.
  redis.on("error", ({ message }) => {
    if (!waiting) options.logger?.warn("redis.waiting", { reason: message });
    waiting = true;
  });
  redis.on("ready", () => {
    if (waiting) options.logger?.info("redis.connected");
    waiting = false;
  });
  return redis;
}

/** The queue cannot be reached now. */
export function unreachable(cause: unknown): DroverError {
  return new DroverError("unavailable", "the queue's Redis cannot be reached", {
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** Redis's failures as what they mean here. The wait for a Redis that is away ends with the signal, and with its reason. */
export async function overRedis<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await untilAborted(call(), signal);
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw unreachable(cause);
  }
}
