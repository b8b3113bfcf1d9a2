import { BLOCK_TOKENS, BlockHashes } from "@drover/kv";
import { expect, test } from "vitest";
import { ActiveRequest } from "./active-request.ts";
import { Choice } from "./choice.ts";
import { prefixFollowers } from "./prefix-followers.ts";
import { taskOfLength } from "./testing/fake-engine.ts";

const everybody = () => BLOCK_TOKENS;

/** A prompt whose first `common` tokens are those of all others; `computed`: rows of it that are there, and that `shared` others find; undefined: it has no KV. */
function choiceOf(
  id: number,
  length: number,
  common: number,
  computed?: number,
  asks = false,
  shared = computed ?? 0,
): Choice {
  const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
  chain.append(Int32Array.from({ length }, (_, i) => (i < common ? i : 1000 * id + i)));
  const task = { ...taskOfLength(`r${id}`, length, 4), blockHashes: chain.wire.slice() };
  const params = { ...task.params, routedExperts: asks };
  const choice = new Choice(id, new ActiveRequest({ ...task, params }, id, 0), 0, 0);
  const rows = { cachedCount: 0, sharedCount: shared, byteCount: 1, rowCountMax: Number.POSITIVE_INFINITY };
  if (computed !== undefined) choice.open({ length: computed, ...rows });
  return choice;
}

const idsOf = (followers: ReadonlyMap<Choice, Choice>) => [...followers.keys()].map(({ id }) => id);

test("those with a common beginning wait for the oldest, until it has computed what they share", () => {
  const others = [2, 3].map((id) => choiceOf(id, 400, 300));
  for (const [computed, waiting] of [
    [undefined, [2, 3]],
    [0, [2, 3]],
    [255, [2, 3]],
    [256, []],
    [400, []],
  ] as const)
    expect(idsOf(prefixFollowers([...others, choiceOf(1, 400, 300, computed)], everybody))).toEqual(waiting);
});

test("nobody waits for less than a block, for another beginning, or for one that nobody else finds", () => {
  const first = choiceOf(1, 400, 300);
  expect(idsOf(prefixFollowers([first, choiceOf(2, 400, 63)], everybody))).toEqual([]);
  expect(idsOf(prefixFollowers([first, choiceOf(2, 60, 60)], everybody))).toEqual([]);
  expect(
    idsOf(prefixFollowers([first, choiceOf(2, 400, 300)], (choice) => (choice === first ? undefined : 64))),
  ).toEqual([]);
});

test("of whole segments those wait that share one, until it is where they find it, or all of the prompt is computed", () => {
  const segments = () => 256;
  const [alike, short] = [choiceOf(2, 800, 600), choiceOf(3, 800, 255)];
  for (const [computed, shared, waiting] of [
    [undefined, 0, [2]],
    [512, 256, [2]],
    [600, 512, []],
    [700, 256, [2]],
    [799, 256, []],
  ] as const)
    expect(idsOf(prefixFollowers([alike, short, choiceOf(1, 800, 600, computed, false, shared)], segments))).toEqual(
      waiting,
    );
  // Who finds blocks finds no segments.
  const leader = choiceOf(1, 800, 600);
  expect(idsOf(prefixFollowers([leader, alike], (choice) => (choice === leader ? 64 : 256)))).toEqual([]);
});

test("nobody waits for one that is held up, or much longer, and whoever asks about its prompt waits for nobody", () => {
  const long = choiceOf(1, 4000, 300);
  expect(idsOf(prefixFollowers([long, choiceOf(2, 400, 300)], everybody))).toEqual([]);
  const [stalled, parked] = [choiceOf(1, 400, 300), choiceOf(1, 400, 300, 64)];
  stalled.stall(0);
  parked.park(0);
  for (const held of [stalled, parked])
    expect(idsOf(prefixFollowers([held, choiceOf(2, 400, 300), choiceOf(3, 400, 300)], everybody))).toEqual([3]);
  expect(idsOf(prefixFollowers([choiceOf(1, 400, 300), choiceOf(2, 400, 300, undefined, true)], everybody))).toEqual(
    [],
  );
});

test("of any set somebody goes", () => {
  for (let count = 1; count < 8; count++) {
    const all = Array.from({ length: count }, (_, i) => choiceOf(i + 1, 200 + 64 * ((i * 5) % 7), 190));
    expect(prefixFollowers(all, everybody).size).toBeLessThan(count);
  }
});
