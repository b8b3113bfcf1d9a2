import { expect, test } from "vitest";
import { DIMENSIONS, pairwiseSettings, type Settings } from "./settings.ts";

const pairsOf = (settings: Partial<Settings>): string[] => {
  const entries = Object.entries(settings);
  return entries.flatMap(([a, x], i) => entries.slice(i + 1).map(([b, y]) => `${a}=${x} ${b}=${y}`));
};

test("every pair of settings occurs in the subset that is tested, and none of its rows could be left out", () => {
  const expertWorkers = [1, 4, 8];
  const wanted = Object.entries({ ...DIMENSIONS, expertWorkers }).flatMap(([a, values], i, all) =>
    all.slice(i + 1).flatMap(([b, others]) => values.flatMap((x) => others.map((y) => `${a}=${x} ${b}=${y}`))),
  );
  const rows = pairwiseSettings();
  const missing = (some: readonly Settings[]) => {
    const found = new Set(some.flatMap(pairsOf));
    return wanted.filter((pair) => !found.has(pair));
  };
  expect(missing(rows)).toEqual([]);
  for (const row of rows) expect(missing(rows.filter((other) => other !== row))).not.toEqual([]);
});
