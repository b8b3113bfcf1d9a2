import { at } from "@drover/core";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** Python's `strftime` in the C locale, for a time in Unix milliseconds, in the process's time zone. What it does not know stays as it is. */
export function strftime(timeMs: number, format: string): string {
  const date = new Date(timeMs);
  const month = at(MONTHS, date.getMonth());
  const day = at(DAYS, date.getDay());
  const two = (value: number) => String(value).padStart(2, "0");
  const hour12 = date.getHours() % 12 === 0 ? 12 : date.getHours() % 12;
  const parts: Readonly<Record<string, string>> = {
    "%": "%",
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    "-m": String(date.getMonth() + 1),
    d: two(date.getDate()),
    "-d": String(date.getDate()),
    e: String(date.getDate()).padStart(2, " "),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: two(date.getHours()),
    I: two(hour12),
    p: date.getHours() < 12 ? "AM" : "PM",
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    j: String(dayOfYear(date)).padStart(3, "0"),
  };
  return format.replaceAll(/%(-?[A-Za-z%])/g, (directive, name: string) => parts[name] ?? directive);
}

function dayOfYear(date: Date): number {
  const midnight = (of: Date) => Date.UTC(of.getFullYear(), of.getMonth(), of.getDate());
  return (midnight(date) - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000 + 1;
}
