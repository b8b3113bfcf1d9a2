import { neverAborted, type PayloadStore } from "@drover/core";
import { KEYED_ANSWER_MS } from "../limits.ts";
import { type KeyedRecord, keyedRecordBytes, keyedRecordOf, type RunningRecord } from "./keyed-record.ts";

/** A key that this router answers, until another one takes it: whatever is written by it is refused then, in one step with looking. */
export class KeyedClaim {
  /** Of its record in the store. */
  readonly name: string;
  readonly #store: PayloadStore;
  #record: RunningRecord;
  #bytes: Uint8Array;

  private constructor(store: PayloadStore, name: string, record: RunningRecord) {
    this.#store = store;
    this.name = name;
    this.#record = record;
    this.#bytes = keyedRecordBytes(record);
  }

  /** Takes a key whose record is still `from`; undefined where it is not. Errors: those of the store. */
  static async take(
    store: PayloadStore,
    name: string,
    from: Uint8Array | undefined,
    record: RunningRecord,
    signal: AbortSignal,
  ): Promise<KeyedClaim | undefined> {
    const claim = new KeyedClaim(store, name, record);
    const isTaken = await store.putIf(name, claim.#bytes, KEYED_ANSWER_MS, { key: name, bytes: from }, signal);
    return isTaken ? claim : undefined;
  }

  get record(): RunningRecord {
    return this.#record;
  }

  /** Puts a value beside the record. False where another router has the key. Errors: those of the store. */
  put(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#store.putIf(key, bytes, KEYED_ANSWER_MS, { key: this.name, bytes: this.#bytes }, neverAborted);
  }

  /** Says that not all is kept. As {@link put}. */
  async unkeep(): Promise<boolean> {
    const record: RunningRecord = { ...this.#record, isUnkept: true };
    if (!(await this.end(record, KEYED_ANSWER_MS))) return false;
    this.#record = record;
    this.#bytes = keyedRecordBytes(record);
    return true;
  }

  /** Puts another record in the place of this one. As {@link put}. */
  end(record: Exclude<KeyedRecord, { kind: "foreign" }>, ttlMs: number): Promise<boolean> {
    const condition = { key: this.name, bytes: this.#bytes };
    return this.#store.putIf(this.name, keyedRecordBytes(record), ttlMs, condition, neverAborted);
  }

  /** Whether it is still this router's; takes it anew where the store has lost it, and says that not all is kept. Errors: those of the store. */
  async holds(): Promise<boolean> {
    const found = await this.#store.get(this.name, neverAborted);
    if (found !== undefined) {
      const there = keyedRecordOf(found);
      const { origin, epoch } = this.#record;
      if (there.kind !== "running" || there.epoch !== epoch || there.origin.id !== origin.id) return false;
      // A change of it may have come through without our knowing.
      this.#record = there;
      this.#bytes = found;
      return true;
    }
    const record: RunningRecord = { ...this.#record, isUnkept: true };
    const bytes = keyedRecordBytes(record);
    const condition = { key: this.name, bytes: undefined };
    if (!(await this.#store.putIf(this.name, bytes, KEYED_ANSWER_MS, condition, neverAborted))) return false;
    this.#record = record;
    this.#bytes = bytes;
    return true;
  }

  /** Forgets values that were put beside the record. Errors: those of the store. */
  async forget(keys: readonly string[]): Promise<void> {
    await this.#store.delete(keys, neverAborted);
  }
}
