import { JSON_CONTAINERS_MAX, JSON_DEPTH_MAX } from "../limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENINGS = [0x5b, 0x7b];
const CLOSINGS = [0x5d, 0x7d];

/**
 * What makes a JSON text dear to parse: lists and objects take some thirty times their own two bytes, and each level of them more. The complaint,
 * or undefined for a text within limits, JSON or not. Works on UTF-8 as it is, since every byte of a longer character is above those that count.
 */
export function jsonShapeFault(bytes: Uint8Array): string | undefined {
  let depth = 0;
  let containerCount = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === QUOTE) i = stringEnd(bytes, i);
    else if (OPENINGS.includes(byte)) {
      if (++depth > JSON_DEPTH_MAX) return `is nested more than ${JSON_DEPTH_MAX} levels deep`;
      if (++containerCount > JSON_CONTAINERS_MAX) return `has more than ${JSON_CONTAINERS_MAX} lists and objects`;
    } else if (CLOSINGS.includes(byte)) depth--;
  }
  return undefined;
}

/** Where the string ends that begins at `from`; the text's end where it does not. */
function stringEnd(bytes: Uint8Array, from: number): number {
  for (let i = from + 1; i < bytes.length; i++) {
    if (bytes[i] === BACKSLASH) i++;
    else if (bytes[i] === QUOTE) return i;
  }
  return bytes.length;
}
