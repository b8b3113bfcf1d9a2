import type { KvSequence } from "@drover/core";
import { expect, test } from "vitest";
import { ActiveRequest } from "./active-request.ts";
import { Choice } from "./choice.ts";
import { taskOfLength } from "./testing/fake-engine.ts";

const sequenceOf = (length: number): KvSequence => ({
  length,
  cachedCount: 0,
  byteCount: 1,
  sharedCount: 0,
  rowCountMax: Number.POSITIVE_INFINITY,
});

const choiceOf = (promptTokens: number) =>
  new Choice(1, new ActiveRequest(taskOfLength("a", promptTokens, 9), 1, 0), 0, 0);

test("a choice that finds no room remembers since when until a step serves it, also where it is preempted meanwhile", () => {
  const choice = choiceOf(10);
  choice.stall(5);
  choice.stall(9);
  expect(choice.stalledSinceMs).toBe(5);
  choice.open(sequenceOf(0));
  expect(choice.stalledSinceMs).toBe(5);
  choice.preempt();
  expect(choice.stalledSinceMs).toBe(5);
  choice.open(sequenceOf(0));
  choice.serve(3);
  expect(choice.stalledSinceMs).toBeUndefined();
  expect(choice.preemptionCount).toBe(1);
});

test("a choice that is not answered counts from its first step without an answer, and anew once it was computed", () => {
  const choice = choiceOf(10);
  choice.open(sequenceOf(0));
  expect(choice.park(100)).toBe(0);
  choice.serve(1);
  expect(choice.park(130)).toBe(30);
  choice.computed();
  expect(choice.isHeldUp).toBe(false);
  expect(choice.park(200)).toBe(0);
});

test("a choice decodes once all that was known when it got its KV is computed but for one row, and prefills again after a preemption", () => {
  const choice = choiceOf(10);
  expect(choice.isDecoding).toBe(false);
  choice.open(sequenceOf(9));
  expect(choice.isDecoding).toBe(true);
  choice.append(7, false);
  choice.append(8, false);
  expect([choice.isDecoding, choice.pendingTokenCount]).toEqual([true, 3]);
  choice.preempt();
  expect([choice.isDecoding, choice.pendingTokenCount]).toEqual([false, 12]);
  expect(choiceOf(1).isDecoding).toBe(true);
});

test("rows that another worker has lost are computed first, as a prompt is; on their way there the choice is in no step", () => {
  const choice = choiceOf(100);
  choice.open(sequenceOf(99));
  const lost = { ...sequenceOf(32), rowCountMax: 64 };
  choice.mend(lost);
  expect(choice.active).toBe(lost);
  expect([choice.isDecoding, choice.pendingTokenCount]).toEqual([false, 32]);
  choice.mend("sending");
  expect(choice.isMending).toBe(true);
  expect(choice.active).toBe(choice.sequence);
});

test("a choice that has ended holds no KV and gets none", () => {
  const choice = choiceOf(4);
  const sequence = sequenceOf(0);
  choice.open(sequence);
  expect(choice.end()).toBe(sequence);
  expect(choice.end()).toBeUndefined();
  expect(() => choice.open(sequence)).toThrow("one sequence at a time");
});
