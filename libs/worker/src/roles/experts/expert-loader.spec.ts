import { silentLogger } from "@drover/core";
import { SimClock } from "@drover/testkit";
import { expect, test } from "vitest";
import { LOADED_REPORT_MS } from "../../limits.ts";
import { ExpertLoader } from "./expert-loader.ts";

test("experts are loaded in the wish's order, one of each layer after the other, and told of while others are still to come", async () => {
  const clock = new SimClock();
  const has = new Set<string>();
  const told: string[][] = [];
  const done = Promise.withResolvers<void>();
  const store = {
    has: (layer: number, expert: number) => has.has(`${layer}/${expert}`),
    load: async (layer: number, expert: number) => {
      has.add(`${layer}/${expert}`);
      await clock.advance(LOADED_REPORT_MS / 2);
    },
    unload: () => undefined,
    loaded: () => [],
  };
  const onChange = () => {
    told.push([...has]);
    if (loader.settled || has.size === 5) done.resolve();
  };
  const loader = new ExpertLoader(store, onChange, clock, silentLogger);
  loader.set(
    new Map([
      [1, new Set([7, 2, 5])],
      [3, new Set([4, 0])],
    ]),
  );
  await done.promise;
  expect(told.slice(0, 3)).toEqual([
    ["1/7", "3/4"],
    ["1/7", "3/4", "1/2", "3/0"],
    ["1/7", "3/4", "1/2", "3/0", "1/5"],
  ]);
});
