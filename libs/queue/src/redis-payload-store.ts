import type { PayloadStore, PutCondition } from "@drover/core";
import type { Redis } from "ioredis";
import { overRedis } from "./redis.ts";

/** Sets KEYS[1] to ARGV[1] for ARGV[2] milliseconds where KEYS[2] has ARGV[3], or, without that, nothing. */
const SET_IF = `
if redis.call("get", KEYS[2]) ~= (ARGV[3] or false) then return 0 end
redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`;

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

  async putIf(
    key: string,
    bytes: Uint8Array,
    ttlMs: number,
    condition: PutCondition,
    signal: AbortSignal,
  ): Promise<boolean> {
    signal.throwIfAborted();
    const keys = [this.#prefix + key, this.#prefix + condition.key];
    const expected = condition.bytes === undefined ? [] : [Buffer.from(condition.bytes)];
    const put = () => this.#redis.eval(SET_IF, 2, ...keys, Buffer.from(bytes), ttlMs, ...expected);
    return (await overRedis(signal, put)) === 1;
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
