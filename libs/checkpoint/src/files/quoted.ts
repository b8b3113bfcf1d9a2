import { NAME_CHARACTERS_MAX } from "../limits.ts";

/**
 * Something that a file said, as it may stand in a message: one line, without control characters, and cut where it is long. Names are left as they are
 * where they are plain.
 */
export function quoted(value: unknown): string {
  if (typeof value === "string" && value.length <= NAME_CHARACTERS_MAX && /^[\w.-]+$/.test(value)) return value;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  if (typeof value !== "string") return String(value);
  const cut = value.length <= NAME_CHARACTERS_MAX ? value : `${value.slice(0, NAME_CHARACTERS_MAX)}...`;
  // JSON leaves C1 controls and the bidirectional ones as they are.
  return JSON.stringify(cut).replace(/[^\x20-\x7e]/g, (character) => `\\u${hex(character)}`);
}

const hex = (character: string): string => character.charCodeAt(0).toString(16).padStart(4, "0");
