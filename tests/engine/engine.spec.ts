import { join } from "node:path";
import type { ExpertExchange } from "@drover/core";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import { expect, test } from "vitest";

const model = join(import.meta.dirname, "../../models/nano");
const prompt = (length: number, seed: number) => Array.from({ length }, (_, i) => (i * 7919 + seed * 104_729) % 3000);
const prompts = [5, 60, 255, 256, 257, 700, 33, 120].map(prompt);

/** Tokens by request and choice, checked to come in order and once. */
function tokensOf(local: LocalEngine): Record<string, number[]> {
  const out: Record<string, number[]> = {};
  for (const { requestId, event } of local.events) {
    if (event.kind !== "token") continue;
    const list = out[requestId] ?? [];
    out[requestId] = list;
    expect(event.index).toBe(list.length);
    list.push(event.tokenId);
  }
  return out;
}

async function generate(local: LocalEngine): Promise<Record<string, number[]>> {
  for (const [i, ids] of prompts.entries()) expect(local.engine.place(greedyTask(`r${i}`, ids, 12))).toBeUndefined();
  await drain(local);
  expect(local.sequences.kvBytesUsed).toBe(0);
  return tokensOf(local);
}

/** Every prompt by itself, in one chunk where it fits: what all other ways must equal. */
const alone = await (async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 1000 });
  for (const [i, ids] of prompts.entries()) {
    local.engine.place(greedyTask(`r${i}`, ids, 12));
    await drain(local);
  }
  return tokensOf(local);
})();

test("tokens do not depend on the batch or on the prefill chunk", async () => {
  for (const prefillRowsMax of [16, 64]) {
    expect(await generate(await openLocalEngine(model, { prefillRowsMax }))).toEqual(alone);
  }
});

test("a step whose expert rows are lost is repeated, and changes no token", async () => {
  let calls = 0;
  const losing = (inner: ExpertExchange): ExpertExchange => ({
    usable: true,
    exchange: async (request) => {
      const result = await inner.exchange(request);
      calls += 1;
      return calls % 7 === 0 ? { ...result, missing: [(calls * 31) % request.rowCount] } : result;
    },
  });
  const local = await openLocalEngine(model, { prefillRowsMax: 64, wrapExchange: losing });
  expect(await generate(local)).toEqual(alone);
  expect(calls).toBeGreaterThan(50);
});

test("sequences that are preempted for want of KV are recomputed, and no token changes", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 64, kvBytesMax: 6 * 2 ** 20 });
  // Outputs of one token teach it to expect short ones: then it takes more than it has room for.
  for (let i = 0; i < 40; i++) local.engine.place(greedyTask(`short${i}`, prompt(5, i), 1));
  await drain(local);
  local.events.length = 0;
  for (const [i, ids] of prompts.entries()) expect(local.engine.place(greedyTask(`r${i}`, ids, 200))).toBeUndefined();
  await drain(local);
  const tokens = tokensOf(local);
  expect(Object.keys(tokens).length).toBe(prompts.length);
  for (const [id, list] of Object.entries(tokens)) {
    expect(list).toHaveLength(200);
    expect(list.slice(0, 12)).toEqual(alone[id]);
  }
  expect(local.preemptions()).toBeGreaterThan(0);
  expect(local.sequences.kvBytesUsed).toBe(0);
});

test("a request that is here keeps its room: one is refused that would need it before it ends", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 64, kvBytesMax: 6 * 2 ** 20 });
  const placed = prompts.filter((ids, i) => local.engine.place(greedyTask(`r${i}`, ids, 100)) === undefined);
  expect(placed.length).toBeGreaterThan(2);
  expect(placed.length).toBeLessThan(prompts.length);
  await drain(local);
  expect(local.preemptions()).toBe(0);
});

test("tokens do not depend on the milliseconds that a step may take", async () => {
  expect(await generate(await openLocalEngine(model, { prefillRowsMax: 512, stepMs: 5 }))).toEqual(alone);
});

test("a cancelled request frees its KV at once and is not taken again", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 64 });
  const task = greedyTask("gone", prompt(300, 1), 50);
  local.engine.place(task);
  await local.engine.step();
  expect(local.sequences.kvBytesUsed).toBeGreaterThan(0);
  local.engine.cancel(task.requestId, task.attempt);
  expect(local.sequences.kvBytesUsed).toBe(0);
  expect(local.engine.place(task)?.code).toBe("cancelled");
});

test("a request that is cancelled while its step runs frees its KV after it, and changes no other's tokens", async () => {
  let local: LocalEngine | undefined;
  let calls = 0;
  const task = greedyTask("gone", prompt(300, 1), 50);
  const cancelling = (inner: ExpertExchange): ExpertExchange => ({
    usable: true,
    exchange: async (request) => {
      calls += 1;
      // In the middle of a step: layers before this one have written their rows, layers behind it have not.
      if (calls === 6) local?.engine.cancel(task.requestId, task.attempt);
      return inner.exchange(request);
    },
  });
  local = await openLocalEngine(model, { prefillRowsMax: 64, wrapExchange: cancelling });
  local.engine.place(task);
  expect(await generate(local)).toEqual(alone);
});

test("a request that could never fit is refused by name, and one that finds no room now is told so", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 64, kvBytesMax: 2 * 2 ** 20 });
  expect(local.engine.place(greedyTask("long", prompt(3000, 1), 10))?.code).toBe("invalid_argument");
  const codes = Array.from({ length: 20 }, (_, i) => local.engine.place(greedyTask(`r${i}`, prompt(200, i), 10))?.code);
  expect(codes[0]).toBeUndefined();
  expect(codes.at(-1)).toBe("overloaded");
});
