import { DroverError } from "@drover/core";

/** A number of tokens, or all from `min` to `max`, equally often. */
export type TokenLength = Readonly<{ min: number; max: number }>;

const LENGTH_MAX = 20_000_000;

/** Reads `256` or `64-512`. Errors: `invalid_argument` naming the flag. */
export function tokenLength(text: string, field: string): TokenLength {
  const [, first, last] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text.trim()) ?? [];
  const min = Number(first);
  const max = last === undefined ? min : Number(last);
  if (first !== undefined && min >= 1 && max >= min && max <= LENGTH_MAX) return { min, max };
  throw new DroverError("invalid_argument", `--${field} takes a number of tokens or MIN-MAX, not ${text}`, { field });
}

/** One of them. */
export const drawLength = ({ min, max }: TokenLength, random: () => number): number =>
  min + Math.floor(random() * (max - min + 1));
