import { DroverError } from "@drover/core";

/** How requests begin: as many as are in flight, so many a second, or when a trace says. */
export type LoadLevel =
  | Readonly<{ kind: "concurrency"; inFlight: number }>
  | Readonly<{ kind: "rate"; perSecond: number; burstiness: number }>
  | Readonly<{ kind: "trace" }>;

const IN_FLIGHT_DEFAULT = 8;
const IN_FLIGHT_MAX = 10_000;
const PER_SECOND_MAX = 100_000;

export type LevelFlags = Readonly<{
  concurrency: readonly string[];
  rate: readonly string[];
  burstiness: number;
  trace: string | undefined;
}>;

/** The levels that flags name, in their order. Errors: `invalid_argument` naming the flag. */
export function loadLevels({ concurrency, rate, burstiness, trace }: LevelFlags): LoadLevel[] {
  if (trace !== undefined) {
    if (concurrency.length + rate.length > 0)
      throw new DroverError("invalid_argument", "--trace has its own times: leave out --concurrency and --rate");
    return [{ kind: "trace" }];
  }
  const inFlight = concurrency.map((text) => numberOf(text, "concurrency", IN_FLIGHT_MAX, true));
  const perSecond = rate.map((text) => numberOf(text, "rate", PER_SECOND_MAX, false));
  if (inFlight.length + perSecond.length === 0) inFlight.push(IN_FLIGHT_DEFAULT);
  return [
    ...inFlight.map((count): LoadLevel => ({ kind: "concurrency", inFlight: count })),
    ...perSecond.map((count): LoadLevel => ({ kind: "rate", perSecond: count, burstiness })),
  ];
}

/** As a column's entry: `32 at once`, `4/s`, `trace`. */
export function levelName(level: LoadLevel): string {
  if (level.kind === "concurrency") return `${level.inFlight} at once`;
  return level.kind === "rate" ? `${level.perSecond}/s` : "trace";
}

function numberOf(text: string, field: string, max: number, isWhole: boolean): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= max && (!isWhole || Number.isInteger(value))) return value;
  const kind = isWhole ? "whole numbers" : "numbers";
  throw new DroverError("invalid_argument", `--${field} takes ${kind} above 0 and up to ${max}, not ${text}`, {
    field,
  });
}
