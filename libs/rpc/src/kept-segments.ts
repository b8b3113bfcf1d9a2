import { KEPT_SEGMENTS_MAX } from "./limits.ts";

/** A segment that no open sequence reads, and what is done with it: the one who has put it is told, for as long as its stream stands. */
export type KeptSegment = Readonly<{
  byteCount: number;
  segment: number;
  /** Names all that comes before its end; "": others do not find it. */
  prefix: string;
  /** Whether the stream of who has put it has ended. */
  isOrphan: () => boolean;
  /** Frees it. */
  letGo: () => void;
  /** It is another one's from now on, under this name of the storage. */
  give: (storedAs: string) => void;
}>;

/** The segments of a context worker that no open sequence reads, of all attention workers. They stay until others need the room; the one that was kept longest goes first. */
export class KeptSegments {
  readonly #kept = new Map<string, KeptSegment>();
  /** By what names their rows: the one that was kept last. */
  readonly #byPrefix = new Map<string, string>();
  #byteCount = 0;
  #goneCount = 0;
  #keepsOrphans = true;

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

  /** Whether segments stay whose attention worker has gone: not with a worker that is about to end, for nobody moves them. */
  set keepsOrphans(keeps: boolean) {
    this.#keepsOrphans = keeps;
    if (!keeps) for (const [name, kept] of this.#kept) if (kept.isOrphan()) this.#letGo(name, kept);
  }

  get keepsOrphans(): boolean {
    return this.#keepsOrphans;
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  /** Keeps a segment, as the one that was used last. Where there are {@link KEPT_SEGMENTS_MAX}, the one that was kept longest goes. */
  add(name: string, kept: KeptSegment): void {
    this.remove(name);
    if (this.#kept.size >= KEPT_SEGMENTS_MAX) this.#letGoOfFirst();
    this.#kept.set(name, kept);
    if (kept.prefix !== "") this.#byPrefix.set(kept.prefix, name);
    this.#byteCount += kept.byteCount;
  }

  /** It is read again, or is there no more. */
  remove(name: string): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#byteCount -= kept.byteCount;
    this.#kept.delete(name);
    if (this.#byPrefix.get(kept.prefix) === name) this.#byPrefix.delete(kept.prefix);
  }

  /** The segment that ends a prefix, where one is kept: it is kept no more. */
  take(prefix: string, segment: number): KeptSegment | undefined {
    const name = this.#byPrefix.get(prefix);
    const kept = name === undefined ? undefined : this.#kept.get(name);
    if (name === undefined || kept?.segment !== segment) return undefined;
    this.remove(name);
    return kept;
  }

  /** Lets go of as many as have `missing` bytes; of none where all of them have fewer. */
  makeRoom(missing: number): void {
    if (missing > this.#byteCount) return;
    const until = this.#byteCount - missing;
    while (this.#byteCount > until) this.#letGoOfFirst();
  }

  #letGoOfFirst(): void {
    for (const [name, kept] of this.#kept) {
      this.#goneCount += 1;
      this.#letGo(name, kept);
      return;
    }
  }

  #letGo(name: string, kept: KeptSegment): void {
    this.remove(name);
    kept.letGo();
  }
}
