import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { DroverError, readFault } from "@drover/core";
import { JSON_BYTES_MAX, SIZE_MAX } from "../limits.ts";
import { recognizeBytes } from "./foreign-bytes.ts";
import { jsonShapeFault } from "./json-shape.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads a JSON object. Errors: `invalid_argument` naming the file when it is absent, no JSON, or no object. */
export async function readJsonObject(path: string): Promise<JsonObject> {
  return parseJsonObject(await readRegularFile(path, JSON_BYTES_MAX), path);
}

/** A whole file's bytes. A pipe or a device would be read for ever. Errors: `invalid_argument` naming the path, also for one with more bytes. */
export async function readRegularFile(path: string, byteCountMax: number): Promise<Buffer> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw new DroverError("invalid_argument", `${path} is no file`);
    if (facts.size > byteCountMax)
      throw new DroverError("invalid_argument", `${path} has ${facts.size} bytes, more than ${byteCountMax}`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw new DroverError("invalid_argument", `${path} cannot be read: ${readFault(cause)}`, { cause });
  }
}

/** Errors: `invalid_argument` naming the file when the bytes are no JSON object, or one that would take too much memory. */
export function parseJsonObject(bytes: Buffer, path: string): JsonObject {
  const fault = jsonShapeFault(bytes);
  if (fault !== undefined) throw new DroverError("invalid_argument", `${path}: its JSON ${fault}`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    const what = recognizeBytes(bytes) ?? "is not valid JSON";
    throw new DroverError("invalid_argument", `${path} ${what}`, { cause });
  }
  if (!isObject(value)) throw new DroverError("invalid_argument", `${path} does not hold a JSON object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads typed fields of one object; every complaint names file and field. `null` and absent are the same. */
export class FieldReader {
  readonly #object: JsonObject;
  readonly #path: string;
  readonly #prefix: string;

  constructor(object: JsonObject, path: string, prefix = "") {
    this.#object = object;
    this.#path = path;
    this.#prefix = prefix;
  }

  fail(field: string, what: string): never {
    throw new DroverError("invalid_argument", `${basename(this.#path)}: ${this.#prefix}${field} ${what}`, {
      field: `${this.#prefix}${field}`,
    });
  }

  raw(field: string): unknown {
    return this.#object[field] ?? undefined;
  }

  /** Whether a field is there and null, where that says something else than its absence. */
  isNull(field: string): boolean {
    return this.#object[field] === null;
  }

  /** The names of all fields, in the file's order. */
  get fields(): readonly string[] {
    return Object.keys(this.#object);
  }

  object(field: string): FieldReader | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (!isObject(value)) this.fail(field, "must be an object");
    return new FieldReader(value, this.#path, `${this.#prefix}${field}.`);
  }

  number(field: string, fallback?: number): number {
    const value = this.raw(field) ?? fallback;
    if (value === undefined) this.fail(field, "is missing");
    if (typeof value !== "number" || !Number.isFinite(value)) this.fail(field, "must be a number");
    return value;
  }

  /** A whole number of at least `least` and at most `most`. */
  count(field: string, fallback?: number, least = 1, most = SIZE_MAX): number {
    const value = this.number(field, fallback);
    if (!Number.isSafeInteger(value) || value < least) this.fail(field, `must be a whole number of at least ${least}`);
    if (value > most) this.fail(field, `is ${value}; it must be at most ${most}`);
    return value;
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== "boolean") this.fail(field, "must be true or false");
    return value;
  }

  text(field: string): string | undefined {
    const value = this.raw(field);
    if (value !== undefined && typeof value !== "string") this.fail(field, "must be a string");
    return value;
  }

  list(field: string): readonly unknown[] | undefined {
    const value = this.raw(field);
    if (value !== undefined && !Array.isArray(value)) this.fail(field, "must be a list");
    return value;
  }

  /** A number above zero. */
  positive(field: string, fallback?: number): number {
    const value = this.number(field, fallback);
    if (value <= 0) this.fail(field, "must be above 0");
    return value;
  }

  /** Absent, or a whole number of at least 0. */
  optionalId(field: string): number | undefined {
    return this.raw(field) === undefined ? undefined : this.count(field, undefined, 0);
  }
}
