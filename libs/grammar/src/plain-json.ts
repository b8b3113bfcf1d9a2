import { constraintFault } from "./constraint-fault.ts";
import { NESTING_MAX } from "./limits.ts";

/**
 * A schema in JSON's own values: numbers of a body that a template may write are kept as they were written, as objects and big integers.
 * Errors: `invalid_argument`, naming the place, for one that is nested too deeply.
 */
export function plainJson(value: unknown, place: string, depth = 0): unknown {
  if (depth > 4 * NESTING_MAX) throw constraintFault(place, "is nested too deeply");
  if (value instanceof Number || typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((inner) => plainJson(inner, place, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainJson(inner, place, depth + 1)]));
}
