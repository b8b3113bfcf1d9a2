import { assertNever } from "@drover/core";
import { TIMER_MS_MAX } from "../limits.ts";
import type { Flag } from "./flag.ts";
import { formProblem, type TextForm } from "./text-forms.ts";

/** A value, or the end of a sentence that begins with the flag's name and says what is wrong with it. */
export type Parsed = Readonly<{ value: unknown }> | Readonly<{ problem: string }>;

const BYTES = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};
const SIZE_UNITS = [
  ["GiB", BYTES.gib],
  ["MiB", BYTES.mib],
  ["KiB", BYTES.kib],
] as const;
const MILLISECONDS = { "": 1, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };
const TRUE_WORDS = ["true", "1", "yes", "on"];
const FALSE_WORDS = ["false", "0", "no", "off"];

/** Reads one flag's text, or the JSON value that a file gave for it. */
export function parseValue(flag: Flag, raw: unknown): Parsed {
  switch (flag.kind) {
    case "string":
      return parseText(flag.form, raw);
    case "boolean":
      return parseBoolean(raw);
    case "integer":
      return bounded(flag, wholeNumber(raw), "must be a whole number");
    case "number":
      return bounded(flag, decimal(raw), "must be a number");
    case "size":
      if (flag.auto && raw === "auto") return { value: raw };
      return withHint(
        bounded(
          flag,
          withUnit(raw, BYTES),
          `must be a size such as 512MiB or 2GB${flag.auto ? ", or auto" : ""}`,
          sizeText,
        ),
        raw,
      );
    case "duration":
      return duration(flag, raw);
    case "choice":
      return parseChoice(flag.choices, raw);
    case "list":
      return parseList(flag.choices, flag.form, raw);
    default:
      return assertNever(flag);
  }
}

/** What no timer can wait for would be over at once, and begin again. */
function duration(flag: Readonly<{ min?: number; max?: number }>, raw: unknown): Parsed {
  const parsed = bounded(flag, withUnit(raw, MILLISECONDS), "must be a duration such as 250ms, 10s or 2m");
  const isLate = "value" in parsed && flag.max === undefined && Number(parsed.value) > TIMER_MS_MAX;
  return isLate ? { problem: `must be at most ${TIMER_MS_MAX / MILLISECONDS.h}h` } : parsed;
}

/** A bare number of bytes is mostly meant in another unit. */
function withHint(parsed: Parsed, raw: unknown): Parsed {
  if (!("problem" in parsed) || !/^\d+$/.test(String(raw))) return parsed;
  return { problem: `${parsed.problem}; write a unit, such as ${raw === "0" ? "1" : raw}GiB` };
}

function parseText(form: TextForm | undefined, raw: unknown): Parsed {
  if (typeof raw !== "string" || raw === "") return { problem: "must be a text that is not empty" };
  const problem = formProblem(form, raw);
  return problem === undefined ? { value: raw } : { problem };
}

function parseBoolean(raw: unknown): Parsed {
  if (typeof raw === "boolean") return { value: raw };
  const word = String(raw).toLowerCase();
  if (TRUE_WORDS.includes(word)) return { value: true };
  if (FALSE_WORDS.includes(word)) return { value: false };
  return { problem: `must be true or false, not ${JSON.stringify(raw)}` };
}

function parseChoice(choices: readonly string[], raw: unknown): Parsed {
  if (typeof raw === "string" && choices.includes(raw)) return { value: raw };
  return { problem: `must be one of ${choices.join(", ")}, not ${JSON.stringify(raw)}` };
}

function parseList(choices: readonly string[] | undefined, form: TextForm | undefined, raw: unknown): Parsed {
  const given = Array.isArray(raw) ? raw : [raw];
  if (!given.every((one) => typeof one === "string")) return { problem: "must be a list of texts" };
  const values = given.flatMap((one: string) => one.split(",")).map((one) => one.trim());
  if (values.some((one) => one === "")) return { problem: "must not have an empty item" };
  const problem = values.map((one) => formProblem(form, one)).find((one) => one !== undefined);
  if (problem !== undefined) return { problem };
  const unknown = choices === undefined ? undefined : values.find((one) => !choices.includes(one));
  if (unknown !== undefined) {
    return { problem: `may only have ${choices?.join(", ")}, not ${JSON.stringify(unknown)}` };
  }
  return { value: Object.freeze(values) };
}

function wholeNumber(raw: unknown): number | undefined {
  const value = decimal(raw);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

function decimal(raw: unknown): number | undefined {
  if (typeof raw === "number") return Number.isFinite(raw) ? raw : undefined;
  if (typeof raw !== "string" || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(raw)) return undefined;
  const value = Number(raw);
  return Number.isFinite(value) ? value : undefined;
}

function withUnit(raw: unknown, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(raw).trim());
  const unit = (match?.[2] ?? "").toLowerCase();
  if (match === null || !Object.hasOwn(units, unit)) return undefined;
  const value = Math.round(Number(match[1]) * (units[unit] ?? Number.NaN));
  return Number.isSafeInteger(value) ? value : undefined;
}

function bounded(
  { min, max }: Readonly<{ min?: number; max?: number }>,
  value: number | undefined,
  shape: string,
  told: (value: number) => string = String,
): Parsed {
  if (value === undefined) return { problem: shape };
  if (min !== undefined && value < min) return { problem: `must be at least ${told(min)}, not ${told(value)}` };
  if (max !== undefined && value > max) return { problem: `must be at most ${told(max)}, not ${told(value)}` };
  return { value };
}

/** A size as flags have it, in the largest unit that it is a whole number of. */
export function sizeText(bytes: number): string {
  const [name, unit] = SIZE_UNITS.find(([, each]) => bytes >= each && bytes % each === 0) ?? ["", 1];
  return `${bytes / unit}${name}`;
}
