import { DroverError, type Logger, parseSentinelUrl, type SentinelUrl, untilAborted } from "@drover/core";
import { type RedisOptions as ConnectionOptions, Redis } from "ioredis";
import {
  CONNECT_MS_MAX,
  HANDSHAKE_MS_MAX,
  PROBE_KEY,
  PROBE_MS,
  RECONNECT_MS,
  RECONNECT_MS_MAX,
  RETRY_AFTER_MS,
  SILENCE_MS_MAX,
} from "./limits.ts";
import { PrimaryConnector, type Target } from "./primary-connector.ts";
import { RedisVoice } from "./redis-voice.ts";
import { firstWords } from "./redis-words.ts";
import { PrimaryBySentinels, sentinelOptions } from "./sentinel-connector.ts";
import { SentinelWatch } from "./sentinel-watch.ts";

export type RedisOptions = Readonly<{
  producer: boolean;
  /** Told once why Redis is waited for or refuses what is asked, and when that is over. */
  logger?: Logger;
  /** A connection to the same Redis that says for both what Redis says. */
  beside?: QueueRedis;
  /** A replica is taken too, for who only asks what it is. */
  anyRole?: boolean;
}>;

/** A connection to the queue's Redis that knows why it cannot be written to. */
export class QueueRedis extends Redis {
  /** What Redis has said. */
  readonly voice: RedisVoice;

  /** Use `openRedis`. */
  constructor(url: string, options: ConnectionOptions & { replyMapping?: "legacy" }, voice: RedisVoice) {
    super(url, options);
    this.voice = voice;
  }

  /** Why nothing can be written now; undefined when it can, as far as is known. */
  get trouble(): string | undefined {
    if (this.status !== "ready") return "the queue's Redis cannot be reached";
    const { refusal } = this.voice;
    return refusal === undefined ? undefined : `the queue's Redis refuses writes: ${refusal}`;
  }
}

/**
 * Connects to Redis, whenever it comes and wherever its name leads then, or its sentinels say that it is: to a primary. A server that is demoted, or loads its data, is left
 * at its first word of that. A producer fails at once while Redis is away, since a client waits behind it; a consumer keeps trying.
 * Errors: `invalid_argument` for a URL that is none.
 */
export function openRedis(url: string, { producer, logger, beside, anyRole = false }: RedisOptions): QueueRedis {
  const sentinel = parseSentinelUrl(url);
  if (sentinel === undefined && !/^(redis|rediss|unix):/.test(url)) {
    // Not repeated here: a URL may hold a password.
    throw new DroverError("invalid_argument", "the queue's address is not a Redis URL", { field: "queue" });
  }
  const voice = beside?.voice ?? new RedisVoice(logger, () => probe(redis));
  const onReplica = () => voice.waits("READONLY its address leads to a replica");
  class Connector extends PrimaryConnector {
    constructor(target: unknown) {
      super(target as Target, onReplica);
    }
  }
  class BySentinels extends PrimaryBySentinels {
    constructor(settings: unknown) {
      super(settings as ConnectionOptions, onReplica);
    }
  }
  const direct = anyRole ? {} : { Connector };
  const redis = new QueueRedis(
    // With sentinels the address is what they say.
    sentinel === undefined ? url : "redis://",
    {
      enableOfflineQueue: !producer,
      maxRetriesPerRequest: producer ? 1 : null,
      retryStrategy: (times) => Math.min(RECONNECT_MS_MAX, RECONNECT_MS * times),
      // Copied with the other options by whoever duplicates the connection, as BullMQ does.
      reconnectOnError: (error) => voice.hear(error),
      ...(sentinel === undefined ? direct : { ...sentinelOptions(sentinel), Connector: BySentinels }),
      lazyConnect: false,
      connectTimeout: CONNECT_MS_MAX,
      maxLoadingRetryTime: RECONNECT_MS_MAX,
      keepAlive: SILENCE_MS_MAX,
      socketTimeout: SILENCE_MS_MAX,
    },
    voice,
  );
  // Every call reports its own failure; without a listener the connection's would end the process.
  redis.on("error", (error: Error) => voice.waits(firstWords(error)));
  redis.on("sentinelError", (error: Error) => voice.waits(firstWords(error)));
  redis.on("ready", () => voice.ready());
  redis.on("connect", () => leaveWhileLoading(redis));
  if (sentinel !== undefined) leaveAtFailover(redis, sentinel);
  return redis;
}

/** A primary that is none any more is left at the sentinels' word; who asks them for one already goes on with that. */
function leaveAtFailover(redis: QueueRedis, url: SentinelUrl): void {
  const watch = new SentinelWatch(url, () => {
    if (redis.status === "ready" || redis.status === "connect") redis.disconnect(true);
  });
  redis.once("end", () => watch.end());
}

/** A server that loads its data for long may be one that was demoted: it is left, and whoever has its name then is asked. */
function leaveWhileLoading(redis: QueueRedis): void {
  const late = setTimeout(() => {
    if (redis.status !== "connect") return;
    redis.voice.waits("LOADING it does not get ready");
    redis.disconnect(true);
  }, HANDSHAKE_MS_MAX);
  late.unref();
  for (const event of ["ready", "close"]) redis.once(event, () => clearTimeout(late));
}

/** Writes a little now and then until that is taken: nobody else may try meanwhile, since requests wait for it. */
function probe(redis: QueueRedis): void {
  const again = () => {
    if (redis.status !== "end" && redis.voice.refusal !== undefined) probe(redis);
  };
  setTimeout(() => {
    if (redis.status !== "ready") return again();
    redis.set(PROBE_KEY, "1", "PX", PROBE_MS).then(() => redis.voice.accepts(), again);
  }, PROBE_MS).unref();
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
