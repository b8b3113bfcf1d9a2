/** A list of a reply whose entries are made while they are written: there may be millions, and nobody holds them all. */
export class LongList<T> {
  readonly #entries: () => Iterable<T>;

  /** @param entries makes them anew, from the first one on */
  constructor(entries: () => Iterable<T>) {
    this.#entries = entries;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#entries()[Symbol.iterator]();
  }

  /** All of them, for JSON.stringify. */
  toJSON(): T[] {
    return [...this];
  }
}

/** The entries of one list, then those of the other. */
export const chained = <T>(first: Iterable<T>, second: Iterable<T>): LongList<T> =>
  new LongList(function* () {
    yield* first;
    yield* second;
  });

/** A value whose lists may be long ones. */
export type Written<T> = T extends readonly (infer E)[]
  ? readonly Written<E>[] | LongList<Written<E>>
  : T extends object
    ? { [K in keyof T]: Written<T[K]> }
    : T;

/** Texts that are handed on have at least so many characters, but the last one: a millisecond or two of work, or the work of one entry. */
const PIECE_CHARACTERS_MIN = 32 * 1024;

/** A value's JSON in pieces, of which each is made when it is asked for: the same as JSON.stringify writes. */
export function jsonPieces(value: unknown): Generator<string> {
  return joined(parts(value));
}

/** The texts, put together to pieces. */
export function* joined(texts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < PIECE_CHARACTERS_MIN) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Entries of a long list are written whole, each in one go; all else by its fields. */
export function* parts(value: unknown): Generator<string> {
  if (value instanceof LongList) {
    let separator = "[";
    for (const entry of value) {
      yield separator + JSON.stringify(entry);
      separator = ",";
    }
    yield separator === "[" ? "[]" : "]";
  } else if (Array.isArray(value)) {
    yield "[";
    for (const [i, entry] of value.entries()) {
      if (i > 0) yield ",";
      yield* parts(entry ?? null);
    }
    yield "]";
  } else if (typeof value === "object" && value !== null) {
    let separator = "{";
    for (const [name, field] of Object.entries(value)) {
      if (field === undefined) continue;
      yield `${separator}${JSON.stringify(name)}:`;
      yield* parts(field);
      separator = ",";
    }
    yield separator === "{" ? "{}" : "}";
  } else yield JSON.stringify(value);
}
