import { seededRandom, type WorkerId, workerId } from "@drover/core";
import { expect, test } from "vitest";
import { planExpertMap } from "./expert-assignment.ts";
import { type ExpertHolders, planCopies } from "./expert-copies.ts";
import { ExpertHeat } from "./expert-heat.ts";

const WORKERS = ["a", "b", "c", "d"].map(workerId);

/** Every expert twice, nobody away, nothing loaded. */
function twice(layerCount: number, expertCount: number, rooms: readonly number[]): ExpertHolders {
  const layers = Array.from({ length: layerCount }, (_, i) => i);
  const room = new Map(WORKERS.map((worker, i) => [worker, rooms[i] ?? 0]));
  return planCopies({
    owners: planExpertMap(new Map(), WORKERS, layers, expertCount, room),
    earlier: new Map(),
    members: new Set(WORKERS),
    takers: WORKERS,
    room,
    heat: new ExpertHeat(expertCount),
    wanted: () => 2,
    answers: () => true,
    isAway: () => false,
    isLoaded: () => false,
  }).holders;
}

const holdersOf = (plan: ExpertHolders) => [...plan.values()].flat();
const heldBy = (plan: ExpertHolders, worker: WorkerId) =>
  holdersOf(plan).filter((holders) => holders.includes(worker)).length;

test("memory that is just enough for every expert twice is used to the last place, as evenly as it is there", () => {
  for (const room of [768, 780, 900]) {
    const plan = twice(12, 128, [room, room, room, room]);
    expect(WORKERS.map((worker) => heldBy(plan, worker))).toEqual([768, 768, 768, 768]);
    expect(holdersOf(plan).every((holders) => holders.length === 2)).toBe(true);
  }
});

test("every expert is held twice where memory for that is there, however it is spread over workers", () => {
  const [layerCount, expertCount] = [3, 16];
  const total = layerCount * expertCount;
  const random = seededRandom(7);
  for (let round = 0; round < 200; round++) {
    const rooms = WORKERS.map(() => 0);
    for (let left = 2 * total; left > 0; ) {
      const i = Math.floor(random() * WORKERS.length);
      const most = Math.min(left, total - (rooms[i] ?? 0), 1 + Math.floor(random() * 12));
      rooms[i] = (rooms[i] ?? 0) + most;
      left -= most;
    }
    const plan = twice(layerCount, expertCount, rooms);
    expect(holdersOf(plan).filter((holders) => new Set(holders).size !== 2)).toEqual([]);
    expect(WORKERS.map((worker) => heldBy(plan, worker))).toEqual(rooms);
  }
});
