import { expect, it } from "vitest";
import { ExpertHeat } from "./expert-heat.ts";

it("names the experts that were asked for most, over all layers", () => {
  const heat = new ExpertHeat();
  for (const [layer, expert, rows] of [
    [1, 0, 5],
    [3, 7, 9],
    [1, 2, 1],
    [1, 0, 3],
  ] as const)
    heat.rowsRouted(layer, expert, rows);
  expect(heat.hottest(2)).toEqual([
    { layer: 3, expert: 7, rowCount: 9 },
    { layer: 1, expert: 0, rowCount: 8 },
  ]);
  expect(heat.hottest(8)).toHaveLength(3);
});
