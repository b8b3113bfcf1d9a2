import type { PayloadStore } from "@drover/core";
import type { Redis } from "ioredis";
import { overRedis } from "./redis.ts";

/** Payloads as Redis strings with an expiry. */
export class RedisPayloadStore implements PayloadStore {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, cluster: string) {
    this.#redis = redis;
    this.#prefix = `drover:${cluster}:payload:`;
  }

  async put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await overRedis(signal, () => this.#redis.set(this.#prefix + key, Buffer.from(bytes), "PX", ttlMs));
  }

  async get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    return (await overRedis(signal, () => this.#redis.getBuffer(this.#prefix + key))) ?? undefined;
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (keys.length > 0) await overRedis(signal, () => this.#redis.del(...keys.map((key) => this.#prefix + key)));
  }
}
