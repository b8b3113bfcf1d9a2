import { ATTEMPT_STRIDE, type RequestEvent } from "@drover/core";
import { BlockHashes, kvGeometry } from "@drover/kv";
import { expect, test } from "vitest";
import { drainFake, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);
const kvBytesMax = 400_000 * geometry.rowBytes;

/** Requests in the order of their first tokens here. */
function firstTokens(events: readonly RequestEvent[]): readonly string[] {
  return [...new Set(events.flatMap(({ requestId, event }) => (event.kind === "token" ? [requestId] : [])))];
}

const COUNT = 20;

/** An engine with as many new prompts of 200 tokens and more as `COUNT`, of which some steps were computed. */
async function busyEngine() {
  const local = fakeEngine({ geometry, kvBytesMax });
  for (let i = 0; i < COUNT; i++) local.engine.place(taskOfLength(`new${i}`, 200 + i, 2));
  for (let i = 0; i < 4; i++) await local.engine.step();
  return local;
}

/** A request of 900 tokens of which another worker has told three. */
function lostTask(id: string) {
  const delivered = [{ tokenIds: [1, 1, 1], finished: false }];
  return { ...taskOfLength(id, 900, 6), attempt: ATTEMPT_STRIDE, delivered };
}

test("a request that has told tokens elsewhere has its next one before new prompts that were there before it, however short they are", async () => {
  const local = await busyEngine();
  local.engine.place(lostTask("lost"));
  await drainFake(local, 1000);
  const order = firstTokens(local.events);
  expect(order).toHaveLength(COUNT + 1);
  // A quarter of each step is for new ones.
  expect(order.indexOf("lost")).toBeLessThan(COUNT / 2);
  const indices = local.events.flatMap(({ requestId, event }) =>
    requestId === "lost" && event.kind === "token" ? [event.index] : [],
  );
  expect(indices).toEqual([3, 4, 5]);
});

test("a new prompt goes first as well while one with told tokens waits for the beginning that it computes", async () => {
  const local = await busyEngine();
  local.sequences.sharesPrefixes = true;
  const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
  chain.append(new Int32Array(900));
  const blockHashes = chain.wire.slice();
  local.engine.place({ ...taskOfLength("leader", 900, 2), blockHashes });
  local.engine.place({ ...lostTask("lost"), blockHashes });
  await drainFake(local, 1000);
  const order = firstTokens(local.events);
  expect(order.indexOf("leader")).toBeLessThan(COUNT / 2);
});
