import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Plan, planOf } from "./plan.ts";
import { simulate } from "./simulate.ts";

/** `npm run simulate-faults` lives through the others. */
const SEED_COUNT = 100;
const KEPT = join(import.meta.dirname, "seeds");

test("whatever goes wrong, no token is wrong, nothing leaks, no older leader is obeyed, and who was accepted is answered", async () => {
  for (let seed = 1; seed <= SEED_COUNT; seed++) {
    const { violations } = await simulate(planOf(seed), { linesKept: 0 });
    expect([seed, violations]).toEqual([seed, []]);
  }
});

test("a seed comes to the same events each time", async () => {
  const plan = planOf(11);
  const [first, second] = [await simulate(plan), await simulate(plan)];
  expect(second).toEqual(first);
  expect(first.eventCount).toBeGreaterThan(500);
});

test("histories that have failed before do not fail any more", async () => {
  const files = (await readdir(KEPT)).filter((name) => name.endsWith(".json"));
  for (const file of files) {
    const plan = JSON.parse(await readFile(join(KEPT, file), "utf8")) as Plan;
    expect([file, (await simulate(plan, { linesKept: 0 })).violations]).toEqual([file, []]);
  }
});
