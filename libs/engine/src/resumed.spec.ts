import { ATTEMPT_STRIDE, type RequestEvent } from "@drover/core";
import { kvGeometry } from "@drover/kv";
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

test("a request that has told tokens elsewhere has its next one before new prompts that were there before it, however short they are", async () => {
  const local = fakeEngine({ geometry, kvBytesMax });
  const count = 20;
  for (let i = 0; i < count; i++) local.engine.place(taskOfLength(`new${i}`, 200 + i, 2));
  for (let i = 0; i < 4; i++) await local.engine.step();
  const told = Array.from({ length: 3 }, () => 1);
  const resumed = taskOfLength("resumed", 900, 6);
  local.engine.place({ ...resumed, attempt: ATTEMPT_STRIDE, delivered: [{ tokenIds: told, finished: false }] });
  await drainFake(local, 1000);
  const order = firstTokens(local.events);
  expect(order).toHaveLength(count + 1);
  // A quarter of the steps is for new ones.
  expect(order.indexOf("resumed")).toBeLessThan(count / 2);
  const indices = local.events.flatMap(({ requestId, event }) =>
    requestId === "resumed" && event.kind === "token" ? [event.index] : [],
  );
  expect(indices).toEqual([3, 4, 5]);
});
