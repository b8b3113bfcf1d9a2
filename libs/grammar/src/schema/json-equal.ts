import { isJsonObject } from "./json-object.ts";

/** Whether two JSON values are the same: numbers by value, objects whatever the order of their members. */
export function jsonEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((value, i) => jsonEqual(value, other[i]));
  if (!isJsonObject(one) || !isJsonObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && jsonEqual(one[name], other[name]))
  );
}

const plainValues = new WeakMap<readonly unknown[], ReadonlySet<unknown>>();

/** Whether a list has a value that is the same. Lists of texts and numbers may be long. */
export function hasValue(list: readonly unknown[], value: unknown): boolean {
  if (typeof value === "object" && value !== null)
    return list.some((one) => typeof one === "object" && jsonEqual(one, value));
  const known = plainValues.get(list) ?? new Set(list.filter((one) => typeof one !== "object" || one === null));
  plainValues.set(list, known);
  return known.has(value);
}
