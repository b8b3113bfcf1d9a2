import { KEPT_SEGMENTS_MAX } from "./limits.ts";

/** Bytes of a segment that no open sequence reads, and what lets go of it and tells whose it is. */
type Kept = Readonly<{ byteCount: number; letGo: () => void }>;

/** The segments of a context worker that no open sequence reads, of all attention workers. They stay until others need the room; the one that was kept longest goes first. */
export class KeptSegments {
  readonly #kept = new Map<string, Kept>();
  #byteCount = 0;
  #goneCount = 0;

  /** Bytes of all of them. */
  get byteCount(): number {
    return this.#byteCount;
  }

  get count(): number {
    return this.#kept.size;
  }

  /** How many have made room for others so far. */
  get goneCount(): number {
    return this.#goneCount;
  }

  /** Keeps a segment, as the one that was used last. Where there are {@link KEPT_SEGMENTS_MAX}, the one that was kept longest goes. */
  add(name: string, kept: Kept): void {
    this.remove(name);
    if (this.#kept.size >= KEPT_SEGMENTS_MAX) this.#letGoOfFirst();
    this.#kept.set(name, kept);
    this.#byteCount += kept.byteCount;
  }

  /** It is read again, or is there no more. */
  remove(name: string): void {
    this.#byteCount -= this.#kept.get(name)?.byteCount ?? 0;
    this.#kept.delete(name);
  }

  /** Lets go of as many as have `missing` bytes; of none where all of them have fewer. */
  makeRoom(missing: number): void {
    if (missing > this.#byteCount) return;
    const until = this.#byteCount - missing;
    while (this.#byteCount > until) this.#letGoOfFirst();
  }

  #letGoOfFirst(): void {
    for (const [name, { letGo }] of this.#kept) {
      this.remove(name);
      this.#goneCount += 1;
      letGo();
      return;
    }
  }
}
