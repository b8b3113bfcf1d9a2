import { type Clock, type PayloadStore, withTimeout } from "@drover/core";
import { QUEUE_CALL_LIMIT } from "../limits.ts";

/** A store whose calls end in time: nothing waits behind one that does not answer. Errors: `deadline_exceeded`, and those of the store. */
export function timedStore(store: PayloadStore, clock: Clock): PayloadStore {
  const timed = <T>(signal: AbortSignal, call: (limited: AbortSignal) => Promise<T>) =>
    withTimeout(QUEUE_CALL_LIMIT, clock, signal, call);
  return {
    put: (key, bytes, ttlMs, signal) => timed(signal, (limited) => store.put(key, bytes, ttlMs, limited)),
    putIf: (key, bytes, ttlMs, condition, signal) =>
      timed(signal, (limited) => store.putIf(key, bytes, ttlMs, condition, limited)),
    get: (key, signal) => timed(signal, (limited) => store.get(key, limited)),
    delete: (keys, signal) => timed(signal, (limited) => store.delete(keys, limited)),
  };
}
