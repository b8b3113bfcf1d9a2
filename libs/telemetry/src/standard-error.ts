import { writeSync } from "node:fs";
import { WRITE_PAUSE_MS, WRITE_TRIES_MAX } from "./limits.ts";

const STANDARD_ERROR = 2;

export type StandardErrorOptions = Readonly<{
  /** Called with a number of texts that were lost, once one that followed them has been written. */
  onRegained?: (lostCount: number) => void;
  /** As Node's `writeSync`: returns how many bytes were taken. */
  write?: (bytes: Uint8Array) => number;
}>;

const NOTHING = new Uint8Array();

/**
 * The standard error of this process, written to at once, so that what was said before a kill is not lost. What it does not take, as a file on a full disk,
 * is dropped and counted: no process ends, or waits, for its words. Once there is room again the next ones follow.
 */
export class StandardError {
  readonly #onRegained: (lostCount: number) => void;
  readonly #write: (bytes: Uint8Array) => number;
  #lostCount = 0;
  /** The end of a text of which only the beginning was taken. */
  #rest: Uint8Array = NOTHING;

  constructor({
    onRegained = () => undefined,
    write = (bytes) => writeSync(STANDARD_ERROR, bytes),
  }: StandardErrorOptions = {}) {
    this.#onRegained = onRegained;
    this.#write = write;
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    this.#rest = this.#put(this.#rest);
    const rest = this.#rest.length > 0 ? bytes : this.#put(bytes);
    if (rest.length === bytes.length) {
      this.#lostCount += 1;
      return;
    }
    this.#rest = rest;
    const lostCount = this.#lostCount;
    if (lostCount === 0 || rest.length > 0) return;
    this.#lostCount = 0;
    this.#onRegained(lostCount);
  }

  /** Returns what is left of the bytes when no more of them are taken. */
  #put(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (rest.length > 0) {
      const taken = this.#try(rest);
      if (taken === undefined) break;
      rest = rest.subarray(taken);
    }
    return rest;
  }

  /** How many bytes were taken; undefined for none. A pipe whose reader is slow is tried again for a while, unless it was too slow before. */
  #try(bytes: Uint8Array): number | undefined {
    for (let left = this.#lostCount > 0 ? 1 : WRITE_TRIES_MAX; left > 0; left--) {
      try {
        return this.#write(bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return undefined;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WRITE_PAUSE_MS);
      }
    }
    return undefined;
  }
}
