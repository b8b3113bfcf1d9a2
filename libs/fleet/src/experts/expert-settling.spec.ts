import { at, type WorkerId, workerId } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExpertWorker } from "./active-map.ts";
import { ExpertPlanner, firstMapEpoch } from "./expert-planner.ts";

const LAYERS = [1, 2];
const EXPERTS = 8;
const NAMES = ["a", "b", "c", "d"].map(workerId);

/** Workers that load what they are told to, in simulated time, each with room for so many experts. */
class Fleet {
  readonly #workers = new Map<WorkerId, ExpertWorker>();
  readonly #planner = new ExpertPlanner({
    layers: LAYERS,
    expertCount: EXPERTS,
    expectExperts: NAMES.length,
    epoch: firstMapEpoch(1n),
    replicas: { holdersMin: 2, spareCount: 0 },
  });
  readonly #room: number;
  #session = 0;
  #now = 0;

  constructor(room: number) {
    this.#room = room;
    for (const name of NAMES) this.join(name);
    this.settle();
  }

  join(name: WorkerId): void {
    this.#session += 1;
    const alive = { suspected: false, leaving: false, draining: false };
    const life = { incarnation: `life-${this.#session}`, session: this.#session, joinedAtMs: this.#now };
    const worker = { workerId: name, address: name, expertCountMax: this.#room, loaded: new Map() };
    this.#workers.set(name, { ...worker, ...life, ...alive });
  }

  lose(name: WorkerId): void {
    this.#workers.delete(name);
  }

  /** Time passes, and who is there loads what it was told to. Returns whether anything was ordered. */
  pass(ms: number): boolean {
    this.#now += ms;
    const { orders } = this.#planner.update([...this.#workers.values()], this.#now);
    for (const [name, order] of orders) {
      const worker = this.#workers.get(name);
      const loaded = new Map([...order].map(([layer, experts]) => [layer, new Set(experts)]));
      if (worker !== undefined) this.#workers.set(name, { ...worker, loaded });
    }
    return orders.size > 0;
  }

  /** Until nothing is ordered any more for longer than anything is kept or waited for. */
  settle(): void {
    for (let quietMs = 0, turns = 0; quietMs < 30_000; quietMs += 1000) {
      turns += 1;
      if (this.pass(1000)) quietMs = 0;
      if (turns > 1000) throw new Error("orders never end");
    }
  }

  get holders(): readonly (readonly WorkerId[])[] {
    return [...this.#planner.active.values()].flat();
  }

  get heldCount(): number {
    return [...this.#workers.values()]
      .flatMap(({ loaded }) => [...(loaded?.values() ?? [])])
      .reduce((sum, { size }) => sum + size, 0);
  }
}

const events = fc.array(
  fc.record({ kind: fc.constantFrom("join", "lose"), at: fc.nat(NAMES.length - 1), ms: fc.nat(6000) }),
  { maxLength: 12 },
);

/** A fleet to which this has happened, and to which all have come back. */
function happening(happens: readonly { kind: string; at: number; ms: number }[], room: number): Fleet {
  const fleet = new Fleet(room);
  const there = new Set(NAMES);
  for (const { kind, at: index, ms } of happens) {
    const name = at(NAMES, index);
    if (kind === "lose" && there.delete(name)) fleet.lose(name);
    else if (kind === "join" && !there.has(name)) {
      there.add(name);
      fleet.join(name);
    }
    fleet.pass(ms);
  }
  for (const name of NAMES) if (!there.has(name)) fleet.join(name);
  fleet.settle();
  return fleet;
}

test("whoever is lost and comes back, every expert has two holders in the end, and nobody holds one more", () => {
  fc.assert(
    fc.property(events, (happens) => {
      const fleet = happening(happens, 2 * EXPERTS);
      expect(fleet.holders.map((holders) => new Set(holders).size)).toEqual(fleet.holders.map(() => 2));
      expect(fleet.heldCount).toBe(2 * LAYERS.length * EXPERTS);
    }),
    { numRuns: 60 },
  );
});

test("with memory for hardly more than two of each, every expert has a holder in the end, and orders end", () => {
  fc.assert(
    fc.property(events, fc.constantFrom(8, 9, 11), (happens, room) => {
      expect(happening(happens, room).holders.every((holders) => holders.length > 0)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("two that are lost one after the other, the first for longer than a start takes, leave no expert without a holder", () => {
  for (const first of NAMES)
    for (const second of NAMES) {
      if (first === second) continue;
      const fleet = new Fleet(16);
      fleet.lose(first);
      for (let waitedMs = 0; waitedMs < 4000; waitedMs += 500) fleet.pass(500);
      fleet.lose(second);
      fleet.pass(10);
      expect(fleet.holders.every((holders) => holders.length > 0)).toBe(true);
    }
});
