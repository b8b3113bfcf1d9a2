import type { PayloadStore } from "@drover/core";
import { LISTED_MAX } from "../limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Whose something is that is kept; empty: the house's own. */
export const ownerOf = ({ tenant }: Readonly<{ tenant?: string }>): string => tenant ?? "";

/** A list for each tenant. */
export class StoredLists {
  readonly #store: PayloadStore;
  readonly #noun: string;
  readonly #keptMs: number;
  readonly #lists = new Map<string, StoredList>();

  constructor(store: PayloadStore, noun: string, keptMs: number) {
    this.#store = store;
    this.#noun = noun;
    this.#keptMs = keptMs;
  }

  of(tenant: string): StoredList {
    const known = this.#lists.get(tenant);
    if (known !== undefined) return known;
    const list = new StoredList(this.#store, `${this.#noun}/of/${tenant}`, this.#keptMs);
    this.#lists.set(tenant, list);
    return list;
  }
}

/**
 * Ids of what is kept, the oldest first, under one key of the store. Routers write it one after the other without a lock: of two that do so at
 * once one entry may be missing, until its router writes it again.
 */
export class StoredList {
  readonly #store: PayloadStore;
  readonly #key: string;
  readonly #keptMs: number;
  #last: Promise<void> = Promise.resolve();

  constructor(store: PayloadStore, key: string, keptMs: number) {
    this.#store = store;
    this.#key = key;
    this.#keptMs = keptMs;
  }

  /** Errors: `unavailable` when the store cannot be reached. */
  async ids(signal: AbortSignal): Promise<readonly string[]> {
    const bytes = await this.#store.get(this.#key, signal);
    return bytes === undefined ? [] : (JSON.parse(decoder.decode(bytes)) as string[]);
  }

  /** Writes an id at the end where it is not there; the oldest go beyond `LISTED_MAX`. Errors: as `ids`. */
  add(id: string, signal: AbortSignal): Promise<void> {
    return this.#change((ids) => (ids.includes(id) ? ids : [...ids, id].slice(-LISTED_MAX)), signal);
  }

  /** Errors: as `ids`. */
  remove(id: string, signal: AbortSignal): Promise<void> {
    return this.#change((ids) => ids.filter((one) => one !== id), signal);
  }

  /** One change after the other, whatever became of the one before. */
  #change(change: (ids: readonly string[]) => readonly string[], signal: AbortSignal): Promise<void> {
    const write = async () => {
      const ids = await this.ids(signal);
      const changed = change(ids);
      if (changed.length === ids.length && changed.every((id, i) => id === ids[i])) return;
      await this.#store.put(this.#key, encoder.encode(JSON.stringify(changed)), this.#keptMs, signal);
    };
    const result = this.#last.then(write, write);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
