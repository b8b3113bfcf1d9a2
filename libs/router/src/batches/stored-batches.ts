import type { PayloadStore } from "@drover/core";
import type { BatchObject } from "@drover/openai";
import { ownerOf, StoredList, StoredLists } from "./stored-list.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A batch, the files that its answers and errors go to, and the router that works on it. */
export type BatchRecord = Readonly<{
  batch: BatchObject;
  outputId: string;
  errorId: string;
  owner: string;
  /** Whose it is; absent or empty: the house's own. */
  tenant?: string;
  /** Unix milliseconds when its router last said that it lives; 0: it has let go of it. */
  aliveAtMs: number;
}>;

/** Batches, beside the payloads of waiting requests. */
export class StoredBatches {
  /** Of all tenants, for who works on them. */
  readonly list: StoredList;
  readonly lists: StoredLists;
  readonly #store: PayloadStore;
  readonly #keptMs: number;

  constructor(store: PayloadStore, keptMs: number) {
    this.list = new StoredList(store, "batches", keptMs);
    this.lists = new StoredLists(store, "batches", keptMs);
    this.#store = store;
    this.#keptMs = keptMs;
  }

  /** Errors: those of the store. */
  async put(record: BatchRecord, signal: AbortSignal): Promise<void> {
    await this.#store.put(batchKey(record.batch.id), encoder.encode(JSON.stringify(record)), this.#keptMs, signal);
  }

  /** Undefined where it is not kept. Errors: `unavailable` of the store. */
  async find(id: string, signal: AbortSignal): Promise<BatchRecord | undefined> {
    if (!/^batch_[0-9a-f]{32}$/.test(id)) return undefined;
    const bytes = await this.#store.get(batchKey(id), signal);
    return bytes && (JSON.parse(decoder.decode(bytes)) as BatchRecord);
  }

  /** As `find`, for a tenant: undefined also where it is another one's. Errors: as `find`. */
  async findFor(id: string, tenant: string, signal: AbortSignal): Promise<BatchRecord | undefined> {
    const record = await this.find(id, signal);
    return record !== undefined && ownerOf(record) === tenant ? record : undefined;
  }

  /** Asks whoever works on it to end it. Under a key of its own, which nobody else writes. Errors: those of the store. */
  async askToCancel(id: string, atS: number, signal: AbortSignal): Promise<void> {
    await this.#store.put(cancelKey(id), encoder.encode(String(atS)), this.#keptMs, signal);
  }

  /** Unix seconds when it was asked to end; undefined where it was not. Errors: `unavailable` of the store. */
  async cancelAskedAt(id: string, signal: AbortSignal): Promise<number | undefined> {
    const bytes = await this.#store.get(cancelKey(id), signal);
    return bytes && Number(decoder.decode(bytes));
  }
}

const batchKey = (id: string) => `batch/${id}`;
const cancelKey = (id: string) => `batch/${id}/cancel`;

const ENDED: readonly BatchObject["status"][] = ["failed", "completed", "expired", "cancelled"];

/** Whether nothing more comes of it. */
export const hasEnded = ({ status }: BatchObject): boolean => ENDED.includes(status);
