import { OutputLengths, StepCost } from "@drover/batching";
import type { Clock } from "@drover/core";
import { expect, test } from "vitest";
import { ActiveRequest } from "./active-request.ts";
import { longestAlone } from "./admission.ts";
import { Choice } from "./choice.ts";
import { KvRoom } from "./kv-room.ts";
import { PARK_MS } from "./limits.ts";
import { taskOfLength } from "./testing/fake-engine.ts";
import { FakeSequences } from "./testing/fake-sequences.ts";

const geometry = { isGlobalLayer: [false, true], chunkRows: 64, segmentRows: 128, blockRows: 16, rowBytes: 4 };

test("hopeless is only who has long found no room and is too long for the worker alone", () => {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const sequences = new FakeSequences(geometry, 10_000);
  const options = { sequences, geometry, prefillRowsMax: 64 };
  const room = new KvRoom({
    ...options,
    cost: new StepCost(geometry.chunkRows),
    outputs: new OutputLengths(),
    clock,
    observer: { preempted: () => undefined, prefixFound: () => undefined },
  });
  const longest = longestAlone(options);
  const choiceOf = (tokens: number) => new Choice(1, new ActiveRequest(taskOfLength("a", tokens, 1), 1, 0), 0, 0);
  const [fits, tooLong] = [choiceOf(longest - 1), choiceOf(longest)];
  expect(room.runnable([tooLong])).toEqual([]);
  expect(room.hopeless([fits, tooLong])).toEqual([]);
  now = PARK_MS + 1;
  fits.stall(0);
  expect(room.hopeless([fits, tooLong])).toEqual([tooLong]);
});
