import { expect, test } from "vitest";
import { DIMENSIONS, pairwiseSettings, type Settings, testedSettings } from "./settings.ts";

const COUNTED = { ...DIMENSIONS, expertWorkers: [1, 4, 8] };

const pairsOf = (settings: Partial<Settings>): string[] => {
  const entries = Object.entries(settings);
  return entries.flatMap(([a, x], i) => entries.slice(i + 1).map(([b, y]) => `${a}=${x} ${b}=${y}`));
};

/** Pairs of values of the settings that `isWanted` names. */
const pairs = (isWanted: (a: readonly unknown[], b: readonly unknown[]) => boolean, settings: object = COUNTED) =>
  Object.entries(settings).flatMap(([a, values], i, all) =>
    all
      .slice(i + 1)
      .filter(([, others]) => isWanted(values, others))
      .flatMap(([b, others]) =>
        (values as unknown[]).flatMap((x) => (others as unknown[]).map((y) => `${a}=${x} ${b}=${y}`)),
      ),
  );

const missing = (wanted: readonly string[], rows: readonly Settings[]) => {
  const found = new Set(rows.flatMap(pairsOf));
  return wanted.filter((pair) => !found.has(pair));
};

test("every pair of settings occurs in the subset of pairs, and none of its rows could be left out", () => {
  const wanted = pairs(() => true);
  const rows = pairwiseSettings();
  expect(missing(wanted, rows)).toEqual([]);
  for (const row of rows)
    expect(
      missing(
        wanted,
        rows.filter((other) => other !== row),
      ),
    ).not.toEqual([]);
});

test("what is tested has every value of each setting, and every pair of settings of two values but the slowest", () => {
  const rows = testedSettings();
  for (const [name, values] of Object.entries(COUNTED))
    expect(new Set(rows.map((row) => row[name as keyof Settings])), name).toEqual(new Set<unknown>(values));
  const { concurrency: _, ...others } = COUNTED;
  const wanted = pairs((a, b) => a.length === 2 && b.length === 2, others);
  expect(wanted.length).toBe(12);
  expect(missing(wanted, rows)).toEqual([]);
});
