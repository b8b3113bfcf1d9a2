import { kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drainFake, type FakeEngine, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";
import type { FakeCost } from "./testing/fake-runner.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);

/** One-token outputs teach the engine to expect short ones, so that it takes far more than it has room for. */
async function expectingShortOutputs(local: FakeEngine): Promise<void> {
  for (let i = 0; i < 300; i++) {
    local.engine.place(taskOfLength(`short-${i}`, 3, 1));
    await drainFake(local, 10);
  }
  local.events.length = 0;
}

const load = fc.record({
  kvRows: fc.integer({ min: 220, max: 600 }),
  requests: fc.array(
    fc.record({
      prompt: fc.integer({ min: 1, max: 60 }),
      output: fc.integer({ min: 1, max: 500 }),
      n: fc.integer({ min: 1, max: 4 }),
      afterStep: fc.nat(40),
    }),
    { minLength: 1, maxLength: 14 },
  ),
});

test("every admitted request ends, whatever else is admitted, and KV is never overdrawn", async () => {
  let preemptionCount = 0;
  await fc.assert(
    fc.asyncProperty(load, async ({ kvRows, requests }) => {
      const local = fakeEngine({ geometry, kvBytesMax: kvRows * 4 * geometry.rowBytes, prefillRowsMax: 16 });
      await expectingShortOutputs(local);
      const waiting = requests.map((one, i) => ({ ...one, id: `r${i}` }));
      const admitted = new Map<string, number>();
      for (let step = 0; step < 41; step++) {
        for (const { id, prompt, output, n } of waiting.filter(({ afterStep }) => afterStep === step)) {
          if (local.engine.place(taskOfLength(id, prompt, output, n)) === undefined) admitted.set(id, output * n);
        }
        await local.engine.step();
      }
      const rows = requests.reduce((sum, { prompt, output, n }) => sum + n * (prompt + output), 0);
      // Far more than it takes: a choice gives way twice before only older ones may take from it.
      await drainFake(local, 20 * rows + 1000);
      const tokens = new Map<string, number>();
      for (const { requestId, event } of local.events)
        if (event.kind === "token") tokens.set(requestId, (tokens.get(requestId) ?? 0) + 1);
      expect(tokens).toEqual(admitted);
      expect(local.sequences.openCount).toBe(0);
      expect(local.sequences.kvBytesPeak).toBeLessThanOrEqual(local.sequences.kvBytesMax);
      preemptionCount += local.preemptions();
    }),
    { numRuns: 40 },
  );
  expect(preemptionCount).toBeGreaterThan(20);
});

/** 1 ms a step and 0.1 ms a row. */
const rowsCost: FakeCost = (entries) => 1 + 0.1 * entries.reduce((sum, { rowCount }) => sum + rowCount, 0);

test("one that has waited as long as it takes to compute a younger one's rows again takes its KV", async () => {
  const local = fakeEngine({ geometry, kvBytesMax: 3720 * geometry.rowBytes, prefillRowsMax: 16, cost: rowsCost });
  await expectingShortOutputs(local);
  expect(local.engine.place(taskOfLength("short", 200, 1400))).toBeUndefined();
  // Its prompt's rows take less than its output: the older one has waited long enough before that ends.
  expect(local.engine.place(taskOfLength("long", 1000, 2400))).toBeUndefined();
  await drainFake(local, 20_000);
  const ends = local.events.flatMap(({ requestId, event }) => (event.kind === "done" ? [requestId] : []));
  expect(ends).toEqual(["short", "long"]);
});

test("a request that starves for room takes it from all that came later, and ends before they do", async () => {
  const local = fakeEngine({ geometry, kvBytesMax: 250 * 4 * geometry.rowBytes, prefillRowsMax: 64 });
  await expectingShortOutputs(local);
  expect(local.engine.place(taskOfLength("old", 200, 300))).toBeUndefined();
  const ended: string[] = [];
  for (let i = 0; i < 4000 && !ended.includes("old"); i++) {
    // Someone new whenever there is room.
    local.engine.place(taskOfLength(`new-${i}`, 40, 60));
    await local.engine.step();
    local.engine.flush();
    for (const { requestId, event } of local.events.splice(0)) if (event.kind === "done") ended.push(requestId);
  }
  expect(ended).toContain("old");
});
