import { expect, test } from "vitest";
import { RankQueue } from "./rank-queue.ts";

test("the least rank comes first, and of equal ranks the least position, in any order of pushes and pops", () => {
  let state = 3;
  const draw = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  const queue = new RankQueue();
  const expected: [number, number][] = [];
  for (let step = 0; step < 20_000; step++) {
    if (draw(5) < 3 && step < 15_000) {
      const pair: [number, number] = [draw(6), draw(4) === 0 ? draw(1000) : step];
      queue.push(...pair);
      expected.push(pair);
      continue;
    }
    expected.sort(([a, b], [c, d]) => a - c || b - d);
    const least = expected.shift();
    expect(queue.pop()).toBe(least !== undefined);
    if (least !== undefined) expect([queue.rank, queue.position]).toEqual(least);
  }
});
