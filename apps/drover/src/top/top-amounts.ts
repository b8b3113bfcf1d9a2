const STEP = 1024;
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const COUNT_UNITS = ["", "k", "M", "G", "T"];

/** Bytes in three or four digits, such as `49.1 GiB`. */
export const byteAmount = (bytes: number): string => scaled(bytes, STEP, BYTE_UNITS, " ");

/** A count in three or four digits, such as `12.3k`. */
export const amount = (count: number): string => scaled(count, 1000, COUNT_UNITS, "");

/** Of a whole that may be nothing: then `-`. */
export const percent = (part: number, whole: number): string =>
  whole > 0 ? `${Math.round((100 * part) / whole)}%` : "-";

/** A duration in the unit that a reader would take: `0`, `12 ms`, `3.4 s`, `5 min`, `2.1 h`. */
export function milliseconds(ms: number): string {
  if (ms < 0.5) return "0";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

function scaled(value: number, step: number, units: readonly string[], gap: string): string {
  let rest = value;
  let unit = 0;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)}${gap}${units[unit]}`.trimEnd();
}
