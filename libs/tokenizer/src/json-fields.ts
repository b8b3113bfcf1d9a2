import { DroverError } from "@drover/core";

export type Json = Readonly<Record<string, unknown>>;

/** Reads an object of tokenizer.json. Errors: `invalid_argument` naming the field. */
export function objectAt(value: unknown, field: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(field, "must be an object");
  return value as Json;
}

export function listAt(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) return fail(field, "must be a list");
  return value;
}

/** An absent or null flag is `fallback`. */
export function flagAt(value: unknown, field: string, fallback: boolean): boolean {
  if (value === undefined || value === null) return fallback;
  if (typeof value !== "boolean") return fail(field, "must be true or false");
  return value;
}

export function fail(field: string, what: string): never {
  throw new DroverError("invalid_argument", `tokenizer.json: ${field} ${what}`, { field });
}
