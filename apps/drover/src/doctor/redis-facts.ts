import { openRedis } from "@drover/queue";
import { DOCTOR_ANSWER_MS_MAX, REDIS_PING_COUNT } from "./limits.ts";

/** What a Redis says of itself. Undefined settings: it forbids CONFIG, as hosted ones do. */
export type RedisFacts = Readonly<{
  version: string;
  role: string;
  policy: string | undefined;
  appendOnly: string | undefined;
  appendFsync: string | undefined;
  aofWriteStatus: string | undefined;
  rdbStatus: string | undefined;
  usedBytes: number;
  maxBytes: number;
  /** Unix milliseconds there, and here in the middle of the question. */
  timeMs: number;
  askedAtMs: number;
  /** Median of some pings. */
  pingMs: number;
}>;

/** Errors: whatever Redis answers, or that it did not in time. */
export async function readRedis(url: string): Promise<RedisFacts> {
  const redis = openRedis(url, { producer: false, anyRole: true });
  const late = Promise.withResolvers<never>();
  let lastError = "it did not answer in time";
  redis.on("error", ({ message }) => {
    lastError = message;
  });
  const timer = setTimeout(() => late.reject(new Error(lastError)), DOCTOR_ANSWER_MS_MAX);
  try {
    return await Promise.race([read(redis), late.promise]);
  } finally {
    clearTimeout(timer);
    redis.disconnect();
  }
}

async function read(redis: ReturnType<typeof openRedis>): Promise<RedisFacts> {
  const info = parseInfo(await redis.info());
  const setting = (name: string) =>
    redis.config("GET", name).then(
      (reply) => (reply as readonly string[])[1],
      () => undefined,
    );
  const pings: number[] = [];
  for (let i = 0; i < REDIS_PING_COUNT; i++) {
    const began = performance.now();
    await redis.ping();
    pings.push(performance.now() - began);
  }
  const began = Date.now();
  const [seconds, micros] = await redis.time();
  const askedAtMs = (began + Date.now()) / 2;
  return {
    version: info.get("redis_version") ?? "",
    role: info.get("role") ?? "",
    policy: info.get("maxmemory_policy") ?? (await setting("maxmemory-policy")),
    appendOnly: (await setting("appendonly")) ?? (info.get("aof_enabled") === "1" ? "yes" : "no"),
    appendFsync: await setting("appendfsync"),
    aofWriteStatus: info.get("aof_last_write_status"),
    rdbStatus: info.get("rdb_last_bgsave_status"),
    usedBytes: Number(info.get("used_memory") ?? 0),
    maxBytes: Number(info.get("maxmemory") ?? 0),
    timeMs: Number(seconds) * 1000 + Number(micros) / 1000,
    askedAtMs,
    pingMs: pings.sort((a, b) => a - b)[REDIS_PING_COUNT >> 1] ?? 0,
  };
}

function parseInfo(text: string): Map<string, string> {
  const pairs = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(pairs.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}
