import {
  type AttendCall,
  type AttendedPart,
  type ContextHolder,
  type ContextStorage,
  DroverError,
  type SegmentRows,
} from "@drover/core";

/** Segments held by this very process: stored and attended to directly, through the same port. */
export class LocalContextHolder implements ContextHolder {
  readonly workerId: string;
  readonly connected = true;
  readonly life = 1;
  readonly draining = false;
  readonly transfer = undefined;
  readonly #storage: ContextStorage;

  constructor(workerId: string, storage: ContextStorage) {
    this.workerId = workerId;
    this.#storage = storage;
  }

  get bytesFree(): number {
    return this.#storage.bytesFree;
  }

  get bytesMax(): number {
    return this.#storage.bytesMax;
  }

  async put(rows: SegmentRows): Promise<boolean> {
    try {
      // The caller's buffers are used again once the segment is here.
      const layers = rows.layers.map(({ k, v }) => ({ k: k.slice(), v: v.slice() }));
      await this.#storage.put({ ...rows, layers });
      return true;
    } catch (error) {
      if (error instanceof DroverError && error.code === "overloaded") return false;
      throw error;
    }
  }

  async attend(call: AttendCall): Promise<AttendedPart | undefined> {
    return this.#storage.attend(call);
  }

  drop(sequenceId: string): void {
    this.#storage.drop(sequenceId);
  }
}
