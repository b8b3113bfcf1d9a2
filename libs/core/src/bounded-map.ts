import { assert } from "./assert.ts";

export type MapBounds = Readonly<{
  /** Most entries; any number unless given. */
  entriesMax?: number;
  /** Most bytes of all values together; any number unless given. */
  bytesMax?: number;
}>;

/**
 * A map that forgets its oldest entries when it is full. An entry is as old as its last `set` or `use`; iteration begins with the oldest.
 * `bytesOf` says what a value takes, and must say the same of it for as long as it is held.
 */
export class BoundedMap<Key, Value extends NonNullable<unknown>> implements Iterable<readonly [Key, Value]> {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #bytesOf: (value: Value) => number;
  /** All entries in here are older than the young ones, and none is added. A map keeps a hole for each entry that has left, and whoever asked it for its first one each time would step over all of them. */
  #old = new Map<Key, Value>();
  #oldest = this.#old.keys();
  #young = new Map<Key, Value>();
  #byteCount = 0;

  constructor({ entriesMax, bytesMax }: MapBounds, bytesOf: (value: Value) => number = () => 0) {
    this.#entriesMax = entriesMax ?? Number.POSITIVE_INFINITY;
    this.#bytesMax = bytesMax ?? Number.POSITIVE_INFINITY;
    this.#bytesOf = bytesOf;
  }

  get size(): number {
    return this.#old.size + this.#young.size;
  }

  /** Bytes of all values together. */
  get byteCount(): number {
    return this.#byteCount;
  }

  /** Looks at a value without using it: its entry gets no younger. */
  get(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** Whether the key has an entry, without using it. */
  has(key: Key): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  /** The value, whose entry is the youngest from now on. */
  use(key: Key): Value | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    this.#remove(key);
    this.#young.set(key, value);
    return value;
  }

  /**
   * Makes the value the key's only one and its entry the youngest; the oldest are forgotten for it. False when it alone is too large: then
   * nothing else is forgotten, and the key has no value any more.
   */
  set(key: Key, value: Value): boolean {
    this.delete(key);
    const byteCount = this.#bytesOf(value);
    if (byteCount > this.#bytesMax || this.#entriesMax < 1) return false;
    while (this.size > 0 && (this.size >= this.#entriesMax || this.#byteCount + byteCount > this.#bytesMax))
      this.#forgetOldest();
    this.#young.set(key, value);
    this.#byteCount += byteCount;
    return true;
  }

  /** Forgets an entry, where there is one. */
  delete(key: Key): void {
    const value = this.get(key);
    if (value === undefined) return;
    this.#remove(key);
    this.#byteCount -= this.#bytesOf(value);
    assert(this.#byteCount >= 0, "a value takes as many bytes when it leaves as when it came");
  }

  clear(): void {
    this.#old.clear();
    this.#young.clear();
    this.#oldest = this.#old.keys();
    this.#byteCount = 0;
  }

  /** Oldest first; entries may be deleted meanwhile. */
  *[Symbol.iterator](): Generator<readonly [Key, Value], void, undefined> {
    yield* this.#old;
    yield* this.#young;
  }

  #remove(key: Key): void {
    if (!this.#young.delete(key)) this.#old.delete(key);
  }

  #forgetOldest(): void {
    let next = this.#oldest.next();
    if (next.done === true) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#oldest = this.#old.keys();
      next = this.#oldest.next();
    }
    if (next.done !== true) this.delete(next.value);
  }
}
