import { expect, test } from "vitest";
import { ActiveRequest } from "./active-request.ts";
import { Choice } from "./choice.ts";
import { repairFollowers } from "./repair-followers.ts";
import { taskOfLength } from "./testing/fake-engine.ts";

type Facts = Readonly<{ mends?: object; computed?: number; told?: number }>;

/** A choice that has KV; `mends`: what it repairs, with so many rows `computed`; `told`: tokens that its client has. */
function choiceOf(id: number, { mends, computed = 0, told = 0 }: Facts): Choice {
  const delivered = [{ tokenIds: Array.from({ length: told }, () => 1), finished: false }];
  const choice = new Choice(id, new ActiveRequest({ ...taskOfLength(`r${id}`, 3000, 4), delivered }, id, 0), 0, 0);
  const rows = { cachedCount: 0, sharedCount: 0, byteCount: 1 };
  choice.open({ ...rows, length: 3000, rowCountMax: Number.POSITIVE_INFINITY });
  choice.mend(mends && { ...rows, length: computed, rowCountMax: 1024, mends });
  return choice;
}

const [first, second] = [{ segment: 0 }, { segment: 1 }];
const idsOf = (followers: ReadonlyMap<Choice, Choice>) => [...followers].map(([one, leader]) => [one.id, leader.id]);

test("of those that lack the same rows one computes them: who has most of them, then who has tokens already, then the oldest", () => {
  const cases: readonly (readonly [readonly Facts[], number])[] = [
    [[{}, {}, {}], 0],
    [[{}, { told: 1 }, { told: 1 }], 1],
    [[{ told: 1 }, {}, { computed: 64 }], 2],
  ];
  for (const [facts, leader] of cases) {
    const choices = facts.map((one, id) => choiceOf(id, { ...one, mends: first }));
    const others = choices.filter(({ id }) => id !== leader);
    expect(idsOf(repairFollowers([...choices].reverse())).toSorted()).toEqual(others.map(({ id }) => [id, leader]));
  }
});

test("nobody waits for one that lacks other rows, lacks nothing, or is alone", () => {
  const choices = [choiceOf(0, { mends: first }), choiceOf(1, { mends: second }), choiceOf(2, {}), choiceOf(3, {})];
  expect(repairFollowers(choices).size).toBe(0);
});

test("who finds no room computes for nobody, when it is over another one does, and where nobody finds room each tries", () => {
  const choices = [0, 1, 2].map((id) => choiceOf(id, { mends: first, computed: 300 - id }));
  const [oldest, middle, youngest] = choices as [Choice, Choice, Choice];
  expect(idsOf(repairFollowers(choices))).toEqual([
    [1, 0],
    [2, 0],
  ]);
  oldest.stall(0);
  expect(idsOf(repairFollowers(choices))).toEqual([
    [0, 1],
    [2, 1],
  ]);
  expect(idsOf(repairFollowers([middle, youngest]))).toEqual([[2, 1]]);
  for (const choice of choices) choice.stall(0);
  expect(repairFollowers(choices).size).toBe(0);
});

test("who waits for another's repair is held up as long as that one, and no longer", () => {
  const [leader, follower] = [choiceOf(0, { mends: first }), choiceOf(1, { mends: first, told: 1 })];
  leader.park(1000);
  follower.stall(500);
  follower.follow(leader);
  expect([follower.stalledSinceMs, follower.park(3000)]).toEqual([undefined, 2000]);
  leader.computed();
  follower.follow(leader);
  expect([follower.isHeldUp, follower.park(9000)]).toEqual([false, 0]);
});

test("a new prompt that computes what an open stream lacks goes first for as long as it does", () => {
  const [leader, follower] = [choiceOf(0, { mends: first, computed: 64 }), choiceOf(1, { mends: first, told: 1 })];
  expect(leader.isUrgent).toBe(false);
  follower.follow(leader);
  expect(leader.isUrgent).toBe(true);
  leader.mend(undefined);
  expect(leader.isUrgent).toBe(false);
});
