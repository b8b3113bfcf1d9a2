import { BlockHashes, kvGeometry } from "@drover/kv";
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
