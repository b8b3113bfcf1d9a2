import { type Clock, DroverError, type PayloadStore, type PutCondition } from "@drover/core";
import { PAYLOAD_BYTES_MAX, PAYLOADS_LOOKED_AT, RETRY_AFTER_MS } from "./limits.ts";

type Value = Readonly<{ bytes: Uint8Array; until: number }>;

/** Payloads in the scheduler's own memory, bounded in bytes. Those whose time is over go as others come: each that comes looks at some. */
export class EmbeddedPayloadStore implements PayloadStore {
  readonly #clock: Clock;
  readonly #values = new Map<string, Value>();
  /** Goes round and round, in the order in which they came. */
  #looking: Iterator<readonly [string, Value]> = this.#values[Symbol.iterator]();
  #byteCount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of all values, those whose time is over and that nobody has looked at since too. */
  get byteCount(): number {
    return this.#byteCount;
  }

  async put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#remove(key);
    this.#lookAtSome();
    if (this.#byteCount + bytes.length > PAYLOAD_BYTES_MAX) this.#removeExpired();
    if (this.#byteCount + bytes.length > PAYLOAD_BYTES_MAX) {
      throw new DroverError("overloaded", "the payload store is full", { retryAfterMs: RETRY_AFTER_MS });
    }
    this.#values.set(key, { bytes, until: this.#clock.monotonic() + ttlMs });
    this.#byteCount += bytes.length;
  }

  async putIf(
    key: string,
    bytes: Uint8Array,
    ttlMs: number,
    condition: PutCondition,
    signal: AbortSignal,
  ): Promise<boolean> {
    signal.throwIfAborted();
    if (!isSame(this.#find(condition.key), condition.bytes)) return false;
    await this.put(key, bytes, ttlMs, signal);
    return true;
  }

  async get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    return this.#find(key);
  }

  #find(key: string): Uint8Array | undefined {
    const value = this.#values.get(key);
    return value !== undefined && value.until > this.#clock.monotonic() ? value.bytes : undefined;
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (const key of keys) this.#remove(key);
  }

  #remove(key: string): void {
    this.#byteCount -= this.#values.get(key)?.bytes.length ?? 0;
    this.#values.delete(key);
  }

  #lookAtSome(): void {
    const now = this.#clock.monotonic();
    for (let looked = 0; looked < PAYLOADS_LOOKED_AT; looked++) {
      const { done, value } = this.#looking.next();
      if (done === true) {
        this.#looking = this.#values[Symbol.iterator]();
        return;
      }
      const [key, { until }] = value;
      if (until <= now) this.#remove(key);
    }
  }

  #removeExpired(): void {
    for (const [key, { until }] of this.#values) if (until <= this.#clock.monotonic()) this.#remove(key);
  }
}

function isSame(found: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  if (found === undefined || expected === undefined) return found === expected;
  return Buffer.compare(found, expected) === 0;
}
