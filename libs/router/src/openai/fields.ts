import { DroverError } from "@drover/core";

type Range = Readonly<{ min?: number; max?: number; above?: number }>;

/** Reads named fields of one JSON object by hand: `null` means absent, and a wrong type or range is refused by the field's name. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #prefix: string;

  /** Errors: `invalid_argument` when `value` is no object. `path` names it in the client's words, empty for the body. */
  constructor(value: unknown, path = "") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const what = path === "" ? "the body" : path;
      throw new DroverError("invalid_argument", `${what} must be a JSON object`, path === "" ? {} : { field: path });
    }
    this.#object = value as Record<string, unknown>;
    this.#prefix = path === "" ? "" : `${path}.`;
  }

  /** The value, or undefined when it is absent or null. */
  raw(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  names(): string[] {
    return Object.keys(this.#object);
  }

  path(name: string): string {
    return this.#prefix + name;
  }

  fail(name: string, sentence: string): never {
    throw new DroverError("invalid_argument", sentence, { field: this.path(name) });
  }

  number(name: string, range: Range = {}): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isFinite(value)) this.fail(name, "must be a finite number");
    return this.#inRange(name, value, range);
  }

  integer(name: string, range: Range = {}): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isSafeInteger(value)) this.fail(name, "must be an integer");
    return this.#inRange(name, value, range);
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "boolean") this.fail(name, "must be true or false");
    return value;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") this.fail(name, "must be a string");
    if (!value.isWellFormed()) this.fail(name, "must be valid Unicode text");
    return value;
  }

  list(name: string, countMax: number): readonly unknown[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) this.fail(name, "must be a list");
    if (value.length > countMax) this.fail(name, `may have at most ${countMax} entries`);
    return value;
  }

  tokenIds(name: string, vocabSize: number, countMax: number): readonly number[] | undefined {
    const list = this.list(name, countMax);
    for (const id of list ?? []) {
      if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= vocabSize)
        this.fail(name, `must hold token ids from 0 to ${vocabSize - 1}`);
    }
    return list as readonly number[] | undefined;
  }

  object(name: string): Fields | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : new Fields(value, this.path(name));
  }

  #inRange(name: string, value: number, { min, max, above }: Range): number {
    if (min !== undefined && value < min) this.fail(name, `must be at least ${min}`);
    if (above !== undefined && value <= above) this.fail(name, `must be greater than ${above}`);
    if (max !== undefined && value > max) this.fail(name, `must be at most ${max}`);
    return value;
  }
}
