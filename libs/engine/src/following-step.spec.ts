import { at, type RequestEvent, type SamplingParams } from "@drover/core";
import { kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drainFake, type FakeEngine, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";
import type { FakeAnswer } from "./testing/fake-runner.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);

/** A model whose next token is made of the last one and of its place, so that one wrong token makes all others wrong. */
const chained: FakeAnswer = ({ tokenIds, draw }) => ({
  kind: "computed",
  rowCount: tokenIds.length,
  tokens:
    draw === undefined
      ? []
      : [{ tokenId: (31 * at(tokenIds, tokenIds.length - 1) + 7 * draw.index) % 23, logprobs: undefined }],
  prompt: [],
  experts: new Uint16Array(0),
});

function engineOf(isFollowed: boolean, answer: FakeAnswer = chained, kvRows = 4000): FakeEngine {
  const local = fakeEngine({ geometry, kvBytesMax: kvRows * 4 * geometry.rowBytes, prefillRowsMax: 16, answer });
  if (isFollowed) local.runner.letFollow();
  return local;
}

function tokensOf({ events }: Readonly<{ events: readonly RequestEvent[] }>): Map<string, number[]> {
  const out = new Map<string, number[]>();
  for (const { requestId, event } of events) {
    if (event.kind !== "token") continue;
    const key = `${requestId} ${event.choice}`;
    const list = out.get(key) ?? [];
    expect(event.index).toBe(list.length);
    out.set(key, [...list, event.tokenId]);
  }
  return out;
}

const task = (id: string, prompt: number, output: number, params: Partial<SamplingParams> = {}) => {
  const plain = taskOfLength(id, prompt, output, params.n);
  return { ...plain, params: { ...plain.params, ...params } };
};

/** One-token outputs teach it to expect short ones, so that it takes more than it has room for. */
async function expectingShortOutputs(local: FakeEngine): Promise<void> {
  for (let i = 0; i < 300; i += 4) {
    for (let j = 0; j < 4; j++) local.engine.place(taskOfLength(`short${i + j}`, 3, 1));
    await drainFake(local, 10);
  }
  local.events.length = 0;
}

const load = fc.record({
  kvRows: fc.integer({ min: 220, max: 320 }),
  requests: fc.array(
    fc.record({
      prompt: fc.integer({ min: 1, max: 40 }),
      output: fc.integer({ min: 1, max: 300 }),
      n: fc.integer({ min: 1, max: 3 }),
      stop: fc.integer({ min: -60, max: 22 }),
      isPenalized: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
      afterStep: fc.nat(30),
      /** Not at all where it is not above 0. */
      cancelledAfter: fc.integer({ min: -120, max: 60 }),
    }),
    { minLength: 2, maxLength: 9 },
  ),
});

test("steps that follow others change no token, whoever stops, is cancelled, comes or gives way, and leave no KV", async () => {
  let [followed, preempted] = [0, 0];
  await fc.assert(
    fc.asyncProperty(load, async ({ kvRows, requests }) => {
      const run = async (isFollowed: boolean) => {
        const local = engineOf(isFollowed, chained, kvRows);
        await expectingShortOutputs(local);
        for (let step = 0; step < 70; step++) {
          for (const [i, one] of requests.entries()) {
            const { prompt, output, n, stop, isPenalized } = one;
            const params = { n, stopTokenIds: stop < 0 ? [] : [stop], presencePenalty: isPenalized ? 1 : 0 };
            const own = task(`r${i}`, prompt, output, params);
            if (one.afterStep === step) local.engine.place(own);
            if (one.cancelledAfter > 0 && one.afterStep + one.cancelledAfter === step)
              local.engine.cancel(own.requestId, own.attempt);
          }
          await local.engine.step();
        }
        await drainFake(local, 9000);
        await local.engine.step();
        expect(local.sequences.openCount).toBe(0);
        expect(local.sequences.kvBytesUsed).toBe(0);
        expect(local.sequences.kvBytesPeak).toBeLessThanOrEqual(local.sequences.kvBytesMax);
        followed += local.runner.followedCount;
        preempted += local.preemptions();
        return tokensOf(local);
      };
      const [alone, together] = [await run(false), await run(true)];
      const isCancelled = (key: string) => (requests[Number(key.slice(1, key.indexOf(" ")))]?.cancelledAfter ?? 0) > 0;
      for (const [key, tokens] of alone) {
        const found = together.get(key) ?? [];
        // What is cancelled ends at another place.
        const count = isCancelled(key) ? Math.min(tokens.length, found.length) : tokens.length;
        expect(found.slice(0, isCancelled(key) ? count : found.length)).toEqual(tokens.slice(0, count));
      }
    }),
    { numRuns: 8, seed: 5 },
  );
  expect(followed).toBeGreaterThan(500);
  expect(preempted).toBeGreaterThan(0);
});

test("a step follows while all decode by their place alone, and not behind a prompt, a penalty, a ban or a last token", async () => {
  const followedOf = async (params: Partial<SamplingParams>, output = 10) => {
    const local = engineOf(true);
    local.engine.place(task("a", 20, output, params));
    await drainFake(local, 100);
    return local.runner.followedCount;
  };
  // Two steps of a prompt, of which the second draws; the last token follows and nothing follows it.
  expect(await followedOf({})).toBe(8);
  expect(await followedOf({ temperature: 1, topP: 0.9, topLogprobs: 3, logitBias: [[3, 1]] })).toBe(8);
  expect(await followedOf({}, 2)).toBe(0);
  for (const params of [
    { presencePenalty: 1 },
    { frequencyPenalty: 1 },
    { repetitionPenalty: 2 },
    { bannedSequences: [[1]] },
  ])
    expect(await followedOf(params)).toBe(0);
});

test("what was computed of a row behind a last token is dropped, and its KV is freed with that step", async () => {
  const local = engineOf(true);
  const tokens: number[] = [];
  for (let i = 0; i < 6; i++) tokens.push((31 * (tokens.at(-1) ?? 0) + 7 * i) % 23);
  local.engine.place(task("stops", 3, 50, { stopTokenIds: [at(tokens, 3)] }));
  const open: number[] = [];
  for (let step = 0; step < 6; step++) {
    await local.engine.step();
    open.push(local.sequences.openCount);
  }
  local.engine.flush();
  expect(tokensOf(local).get("stops 0")).toEqual(tokens.slice(0, 4));
  expect(open).toEqual([1, 1, 1, 1, 0, 0]);
  expect(local.events.at(-1)?.event.kind).toBe("done");
});

test("a row that the step before it did not compute is computed anew", async () => {
  let parkedCount = 0;
  const local = engineOf(true, (entry) => {
    if (entry.draw?.index !== 4 || parkedCount > 0) return chained(entry);
    parkedCount += 1;
    return { kind: "parked" };
  });
  const other = engineOf(false);
  for (const { engine } of [local, other]) engine.place(task("a", 3, 9));
  for (const each of [local, other]) await drainFake(each, 100);
  expect(parkedCount).toBe(1);
  expect(tokensOf(local)).toEqual(tokensOf(other));
});

test("an engine that ends leaves no step behind", async () => {
  const local = engineOf(true);
  local.runner.runsBeside = true;
  const ended = new AbortController();
  local.runner.onSubmit = () => {
    if (local.runner.stepCount === 5) ended.abort();
  };
  local.engine.place(task("a", 3, 50));
  await local.engine.run(ended.signal);
  local.engine.handBack("all");
  expect(local.sequences.openCount).toBe(0);
  expect(local.runner.followedCount).toBeGreaterThan(0);
});
