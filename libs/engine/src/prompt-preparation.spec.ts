import { type Clock, DroverError, type SequencePrompt } from "@drover/core";
import { expect, test } from "vitest";
import { PREPARE_MS_MAX, PREPARE_PAUSE_MS, PREPARE_TRIES_MAX } from "./limits.ts";
import { PromptPreparation } from "./prompt-preparation.ts";

const prompt: SequencePrompt = {
  ...{ tokenIds: [1], blockHashes: new Uint8Array(), images: [], reuse: true, rowCountMax: 2 },
};

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A preparation whose answers and pauses end when a test says so. */
function prepared(isResumed: boolean, hasAny = true) {
  const answers: ((later: boolean) => void)[] = [];
  const sleeps = new Map<number, () => void>();
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.set(ms, resolve);
        signal.addEventListener("abort", () => {
          sleeps.delete(ms);
          reject(signal.reason);
        });
      }),
  };
  const over = new AbortController();
  const ask = () => new Promise<boolean>((resolve) => answers.push(resolve));
  const sequences = { prepare: () => (hasAny ? ask() : undefined) };
  const preparation = new PromptPreparation(prompt, { sequences, clock, isResumed, over: over.signal });
  const answer = async (later: boolean) => {
    answers.shift()?.(later);
    await settled();
  };
  const pass = async (ms: number) => {
    sleeps.get(ms)?.();
    await settled();
  };
  return { preparation, answers, sleeps, answer, pass, over };
}

test("where there is nothing to ask for nobody waits, and otherwise until the answer", async () => {
  expect(prepared(true, false).preparation.isOver).toBe(true);
  const { preparation, answer, sleeps } = prepared(true);
  expect(preparation.isOver).toBe(false);
  await answer(false);
  expect([preparation.isOver, sleeps.size]).toEqual([true, 0]);
});

test("a request that another attempt has begun asks again while somebody still reads some of it, a few times; a new one does not", async () => {
  const fresh = prepared(false);
  await fresh.answer(true);
  expect(fresh.preparation.isOver).toBe(true);
  const { preparation, answers, answer, pass } = prepared(true);
  for (let tries = 1; tries < PREPARE_TRIES_MAX; tries++) {
    await answer(true);
    expect([preparation.isOver, answers.length]).toEqual([false, 0]);
    await pass(PREPARE_PAUSE_MS);
    expect(answers.length).toBe(1);
  }
  await answer(true);
  expect(preparation.isOver).toBe(true);
});

test("who does not answer is waited for no longer than the limit, and nobody for a request that is over", async () => {
  const silent = prepared(true);
  await silent.pass(PREPARE_MS_MAX);
  expect(silent.preparation.isOver).toBe(true);
  const { preparation, over, answer, answers, sleeps } = prepared(true);
  await answer(true);
  over.abort(new DroverError("cancelled", "the request is over"));
  await settled();
  expect([preparation.isOver, answers.length, sleeps.size]).toEqual([true, 0, 0]);
});
