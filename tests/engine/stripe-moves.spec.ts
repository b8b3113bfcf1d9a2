import { setImmediate } from "node:timers/promises";
import type { ContextHolder } from "@drover/core";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import { afterAll, expect, test } from "vitest";
import { prompt, tokensOf } from "./engine-answers.ts";
import { StripedModel } from "./striped-model.ts";

const LENGTH = 2200;
const TOKEN_COUNT = 12;

const model = await StripedModel.open();
const { geometry, segmentBytes } = model;
afterAll(() => model[Symbol.asyncDispose]());

/** A context worker's service on a port of its own, and the stream of an attention worker to it. */
async function serve(name: string, bytesMax = 2 ** 26) {
  const { store, server, address } = await model.serve(bytesMax);
  return { store, server, holder: await model.call(name, address) };
}

async function placed(holders: () => readonly ContextHolder[] = () => []): Promise<LocalEngine> {
  const local = await openLocalEngine(model.path, {
    prefillRowsMax: 128,
    prefixCache: false,
    stripes: { above: 1000, holders },
  });
  expect(local.engine.place(greedyTask("long", prompt(LENGTH, 1), TOKEN_COUNT))).toBeUndefined();
  return local;
}

async function step(local: LocalEngine): Promise<void> {
  await local.engine.step();
  await setImmediate();
}

/** Steps until the request is over. */
async function finish(local: LocalEngine): Promise<number[]> {
  while (local.engine.load().pendingTokenCount > 0) await step(local);
  local.engine.flush();
  return tokensOf(local.events);
}

const rowsOf = (local: LocalEngine) => local.steps.reduce((sum, { rowCount }) => sum + rowCount, 0);

const plain = await placed();
await drain(plain);
const expected = tokensOf(plain.events);

test("a holder that is to end gives its segments to another one while their request goes on, and nothing is computed again", async () => {
  const [first, spare] = [await serve("context-0"), await serve("context-1")];
  const holders = [first.holder];
  const local = await placed(() => holders);
  while (first.store.segmentCount < 2) await step(local);
  holders.push(spare.holder);
  first.holder.draining = true;
  while (first.store.segmentCount > 0 && local.engine.load().pendingTokenCount > 0) await step(local);
  expect(local.engine.load().pendingTokenCount).toBeGreaterThan(0);
  expect(spare.store.byteCount).toBe(2 * segmentBytes);
  first.server.forceShutdown();
  while (first.holder.connected) await setImmediate();
  expect(await finish(local)).toEqual(expected);
  expect(expected).toHaveLength(TOKEN_COUNT);
  expect(rowsOf(local)).toBe(LENGTH + TOKEN_COUNT - 1);
  while (spare.store.byteCount > 0) await setImmediate();
});

test("where the other one is full, segments stay where they are; where it cannot reach them, too", async () => {
  const [first, full] = [await serve("context-0"), await serve("context-1", segmentBytes - 1)];
  expect(full.holder.bytesFree).toBe(segmentBytes - 1);
  const copy = full.holder.transfer?.copy("nothing", 0, first.holder.transfer?.address ?? "");
  expect(await copy).toBe(false);
  expect(await full.holder.transfer?.copy("nothing", 0, "127.0.0.1:1")).toBe(false);
  const holders = [first.holder, full.holder];
  const local = await placed(() => holders);
  while (first.store.segmentCount < 2) await step(local);
  first.holder.draining = true;
  expect(await finish(local)).toEqual(expected);
  expect(rowsOf(local)).toBe(LENGTH + TOKEN_COUNT - 1);
  while (first.store.byteCount > 0) await setImmediate();
  expect(full.store.byteCount).toBe(0);
});

test("a copy that is dropped while it is under way leaves nothing, and a stream that ends gives up what it copies", async () => {
  const [first, second] = [await serve("context-0"), await serve("context-1")];
  const rows = () => new Uint8Array(geometry.segmentRows * first.store.rowBytes);
  const layers = Array.from({ length: first.store.layerCount }, () => ({ k: rows(), v: rows() }));
  const segment = { sequenceId: "s", segment: 0, rowCount: geometry.segmentRows, dtype: "f32", layers } as const;
  expect(await first.holder.put(segment)).toBe(true);
  const address = first.holder.transfer?.address ?? "";
  const dropped = second.holder.transfer?.copy("s", 0, address);
  second.holder.transfer?.drop("s", 0);
  expect(await dropped).toBe(false);
  expect(second.store.byteCount).toBe(0);
  expect(await second.holder.transfer?.copy("s", 0, address)).toBe(true);
  expect(second.store.byteCount).toBe(segmentBytes);
  expect(second.holder.bytesFree).toBe(2 ** 26 - segmentBytes);
  const given = second.holder.transfer?.copy("s", 0, address);
  second.holder[Symbol.dispose]();
  expect(await given).toBe(false);
  while (second.store.byteCount > 0) await setImmediate();
  // Nothing comes later either: its own end is all that it waits for.
  first.holder.drop("s");
  while (first.store.byteCount > 0) await setImmediate();
  expect(second.store.byteCount).toBe(0);
});
