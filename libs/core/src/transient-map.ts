/** A value while it is in the map. */
type Box<Value> = { value: Value | undefined };

/**
 * A map of what comes and goes, such as requests in flight: a value that leaves is let go of at once. V8's own map leaves its old table behind each time it
 * grows, shrinks or drops its holes, with what it had in it then and with a reference to the next table. Once one of these tables is old, each of those after it
 * outlives the collections of young objects, and with them nearly everything that was ever in such a map: it is copied twice, and is there until the next
 * collection of everything. Here such tables have empty boxes.
 */
export class TransientMap<Key, Value extends NonNullable<unknown>> {
  readonly #boxes = new Map<Key, Box<Value>>();

  get size(): number {
    return this.#boxes.size;
  }

  get(key: Key): Value | undefined {
    return this.#boxes.get(key)?.value;
  }

  has(key: Key): boolean {
    return this.#boxes.has(key);
  }

  /** Makes the value the key's only one. */
  set(key: Key, value: Value): void {
    const box = this.#boxes.get(key);
    if (box === undefined) this.#boxes.set(key, { value });
    else box.value = value;
  }

  /** Takes a value out, where there is one. */
  take(key: Key): Value | undefined {
    const box = this.#boxes.get(key);
    if (box === undefined) return undefined;
    this.#boxes.delete(key);
    const { value } = box;
    box.value = undefined;
    return value;
  }

  /** Takes all values out, in the order in which their keys came. */
  takeAll(): Value[] {
    return [...this.#boxes.keys()].flatMap((key) => this.take(key) ?? []);
  }

  /** In the order in which they came; entries may be taken meanwhile. */
  keys(): IterableIterator<Key> {
    return this.#boxes.keys();
  }

  /** In the order in which their keys came; entries may be taken meanwhile. */
  *values(): Generator<Value, void, undefined> {
    for (const { value } of this.#boxes.values()) if (value !== undefined) yield value;
  }
}
