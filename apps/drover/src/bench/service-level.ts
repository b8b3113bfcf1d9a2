import { DroverError } from "@drover/core";
import type { Sample } from "./load-target.ts";

/** The longest times that a good answer may have, in milliseconds: to the first token, for each token behind it, and in all. */
export type ServiceLevel = Readonly<{ ttft?: number; tpot?: number; e2e?: number }>;

const NAMES = ["ttft", "tpot", "e2e"] as const;

/** Reads `ttft:500`, `tpot:50`, `e2e:10000`. Errors: `invalid_argument` naming the flag. */
export function serviceLevel(entries: readonly string[]): ServiceLevel {
  const level: { -readonly [K in keyof ServiceLevel]: ServiceLevel[K] } = {};
  for (const entry of entries) {
    const [, word = "", ms = ""] = /^(\w+):(\d+(?:\.\d+)?)$/.exec(entry.trim()) ?? [];
    const name = NAMES.find((one) => one === word);
    if (name === undefined || Number(ms) <= 0)
      throw new DroverError("invalid_argument", `--goodput takes ttft:MS, tpot:MS and e2e:MS, not ${entry}`, {
        field: "goodput",
      });
    level[name] = Number(ms);
  }
  return level;
}

/** Milliseconds to the first piece of the answer; undefined where none came. */
export const firstTokenMs = ({ beginMs, pieceMs: [first] }: Sample): number | undefined =>
  first === undefined ? undefined : first - beginMs;

/** Milliseconds for each token behind the first one, undefined for answers of one token. */
export function tokenMs({ pieceMs, outputTokens }: Sample): number | undefined {
  const [first] = pieceMs;
  const last = pieceMs.at(-1);
  return first === undefined || last === undefined || outputTokens < 2
    ? undefined
    : (last - first) / (outputTokens - 1);
}

/** Whether the answer came, and in time. */
export function isGood(sample: Sample, { ttft, tpot, e2e }: ServiceLevel): boolean {
  const within = (ms: number | undefined, most: number | undefined) => most === undefined || (ms ?? 0) <= most;
  return (
    sample.error === undefined &&
    within(firstTokenMs(sample), ttft) &&
    within(tokenMs(sample), tpot) &&
    within(sample.endMs - sample.beginMs, e2e)
  );
}
