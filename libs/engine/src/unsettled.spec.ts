import { at, type KvSequence } from "@drover/core";
import { BlockHashes, kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drainFake, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);
const kvBytesMax = 400_000 * geometry.rowBytes;

/** An engine, and what the sequences wait for that it opens from now on, until `arrive`. */
function engineOf() {
  const local = fakeEngine({ geometry, kvBytesMax });
  const { promise, resolve } = Promise.withResolvers<void>();
  const arrive = () => {
    local.sequences.unsettled.clear();
    resolve();
  };
  const holdBack = () => {
    local.sequences.onOpen = (sequence) => local.sequences.unsettled.set(sequence, promise);
  };
  const tokenCount = (id: string) => {
    local.engine.flush();
    return local.events.filter(({ requestId, event }) => requestId === id && event.kind === "token").length;
  };
  return { local, holdBack, arrive, tokenCount };
}

test("a stream goes on while a prompt waits for what other workers have of it, and that one once it is known", async () => {
  const { local, holdBack, arrive, tokenCount } = engineOf();
  local.engine.place(taskOfLength("stream", 5, 40));
  await local.engine.step();
  holdBack();
  local.engine.place(taskOfLength("waits", 5, 3));
  for (let i = 0; i < 10; i++) expect(await local.engine.step()).toBe(true);
  expect([tokenCount("stream"), tokenCount("waits")]).toEqual([11, 0]);
  arrive();
  await drainFake(local, 100);
  expect([tokenCount("stream"), tokenCount("waits")]).toEqual([40, 3]);
  expect(local.sequences.openCount).toBe(0);
});

test("where all wait for other workers nothing is computed, and who comes meanwhile is served", async () => {
  const { local, holdBack, arrive, tokenCount } = engineOf();
  holdBack();
  local.engine.place(taskOfLength("waits", 5, 3));
  for (let i = 0; i < 3; i++) await local.engine.step();
  expect(local.runner.stepCount).toBe(0);
  local.sequences.onOpen = () => undefined;
  local.engine.place(taskOfLength("new", 5, 2));
  for (let i = 0; i < 3; i++) await local.engine.step();
  expect([tokenCount("new"), tokenCount("waits")]).toEqual([2, 0]);
  arrive();
  await drainFake(local, 10);
  expect(tokenCount("waits")).toBe(3);
});

test("who is cancelled while it waits for other workers leaves nothing", async () => {
  const { local, holdBack } = engineOf();
  holdBack();
  const task = taskOfLength("waits", 5, 3);
  local.engine.place(task);
  await local.engine.step();
  local.engine.cancel(task.requestId, task.attempt);
  expect(local.sequences.openCount).toBe(0);
  expect(await local.engine.step()).toBe(false);
});

test.each(["unsettled", "mending"] as const)(
  "a prompt that begins like one which is %s at this moment waits for it, and does not compute the beginning itself",
  async (kind) => {
    const { local } = engineOf();
    const { sequences, engine } = local;
    sequences.sharesPrefixes = true;
    const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
    chain.append(new Int32Array(400));
    const task = (id: string) => ({ ...taskOfLength(id, 400, 2), blockHashes: chain.wire.slice() });
    sequences.onOpen = (sequence) => {
      if (kind === "mending") sequences.mending.add(sequence);
      else sequences.unsettled.set(sequence, Promise.resolve());
    };
    engine.place(task("first"));
    for (let i = 0; i < 3; i++) await engine.step();
    engine.place(task("second"));
    for (let i = 0; i < 3; i++) await engine.step();
    expect(sequences.openCount).toBe(1);
    sequences.onOpen = () => undefined;
    sequences.mending.clear();
    sequences.unsettled.clear();
    await drainFake(local, 100);
    expect(sequences.openCount).toBe(0);
  },
);

/** A prompt, whether others begin like it, how many tokens its client has, and for how many steps it is held up by other workers once it has KV, and how. */
const someRequest = fc.record({
  length: fc.integer({ min: 1, max: 900 }),
  isAlike: fc.boolean(),
  toldCount: fc.integer({ min: 0, max: 2 }),
  heldSteps: fc.integer({ min: 0, max: 40 }),
  kind: fc.constantFrom("unsettled", "mending"),
});

test("every request ends, whoever waits for other workers, for one that begins alike, or behind the urgent", async () => {
  const history = fc.asyncProperty(fc.array(someRequest, { minLength: 1, maxLength: 12 }), async (requests) => {
    const { local, tokenCount } = engineOf();
    const { sequences, engine } = local;
    sequences.sharesPrefixes = true;
    const heldSteps = new Map<KvSequence, number>();
    let opened = 0;
    sequences.onOpen = (sequence) => {
      const { kind, heldSteps: steps } = at(requests, opened++ % requests.length);
      if (steps === 0) return;
      heldSteps.set(sequence, steps);
      if (kind === "mending") sequences.mending.add(sequence);
      else sequences.unsettled.set(sequence, Promise.resolve());
    };
    for (const [i, { length, isAlike, toldCount }] of requests.entries()) {
      const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
      chain.append(Int32Array.from({ length }, (_, row) => (isAlike ? row : 1000 * i + row)));
      const delivered = [{ tokenIds: Array.from({ length: toldCount }, () => 1), finished: false }];
      engine.place({ ...taskOfLength(`r${i}`, length, 4), blockHashes: chain.wire.slice(), delivered });
      await engine.step();
    }
    // Each computes its rows, and is held up once.
    const rowCount = requests.reduce((sum, { length }) => sum + length, 0);
    const held = requests.reduce((sum, { heldSteps: steps }) => sum + steps, 0);
    for (let step = 0; engine.load().runningCount + engine.load().waitingCount > 0; step++) {
      expect(step).toBeLessThan(rowCount + held + 10 * requests.length);
      for (const [sequence, left] of heldSteps) {
        heldSteps.set(sequence, left - 1);
        if (left > 1) continue;
        sequences.mending.delete(sequence);
        sequences.unsettled.delete(sequence);
        heldSteps.delete(sequence);
      }
      await engine.step();
    }
    expect(requests.map((_, i) => tokenCount(`r${i}`))).toEqual(requests.map(({ toldCount }) => 4 - toldCount));
    expect(sequences.openCount).toBe(0);
  });
  await fc.assert(history, { numRuns: 60 });
});
