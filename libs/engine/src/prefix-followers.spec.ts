import { BlockHashes } from "@drover/kv";
import { expect, test } from "vitest";
import { ActiveRequest } from "./active-request.ts";
import { Choice } from "./choice.ts";
import { prefixFollowers } from "./prefix-followers.ts";
import { taskOfLength } from "./testing/fake-engine.ts";

const everybody = () => true;

/** A prompt whose first `common` tokens are those of all others; `computed`: rows of it that are there, undefined: it has no KV. */
function choiceOf(id: number, length: number, common: number, computed?: number, asks = false): Choice {
  const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
  chain.append(Int32Array.from({ length }, (_, i) => (i < common ? i : 1000 * id + i)));
  const task = { ...taskOfLength(`r${id}`, length, 4), blockHashes: chain.wire.slice() };
  const params = { ...task.params, routedExperts: asks };
  const choice = new Choice(id, new ActiveRequest({ ...task, params }, id, 0), 0, 0);
  if (computed !== undefined)
    choice.open({ length: computed, cachedCount: 0, byteCount: 1, rowCountMax: Number.POSITIVE_INFINITY });
  return choice;
}

const idsOf = (choices: Iterable<Choice>) => [...choices].map(({ id }) => id);

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
  expect(idsOf(prefixFollowers([first, choiceOf(2, 400, 300)], (choice) => choice !== first))).toEqual([]);
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
