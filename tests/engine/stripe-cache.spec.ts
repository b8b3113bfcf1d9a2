import { setImmediate } from "node:timers/promises";
import { ATTEMPT_STRIDE, at } from "@drover/core";
import { type ContextStreamHolder, KeptSegments } from "@drover/rpc";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import { afterAll, expect, test } from "vitest";
import { prompt } from "./engine-answers.ts";
import { StripedModel } from "./striped-model.ts";

const LENGTH = 2100;
const TOKEN_COUNT = 8;

const model = await StripedModel.open();
const { geometry, segmentBytes } = model;
afterAll(() => model[Symbol.asyncDispose]());

/** A context worker's service on a port of its own, and what calls it. */
async function serve(bytesMax: number) {
  const kept = new KeptSegments();
  const { store, address } = await model.serve(bytesMax, kept);
  const call = (name = "context-0") => model.call(name, address);
  return { store, kept, call };
}

/** Asks for a prompt; its tokens, how many rows were computed for it, and what its usage says was cached. */
async function ask(local: LocalEngine, name: string, promptIds: readonly number[]) {
  expect(local.engine.place(greedyTask(name, promptIds, TOKEN_COUNT))).toBeUndefined();
  const steps = await drain(local);
  const events = local.events.flatMap(({ requestId, event }) => (requestId === name ? [event] : []));
  const tokens = events.flatMap((event) => (event.kind === "token" ? [event.tokenId] : []));
  const cached = events.flatMap((event) => (event.kind === "done" ? [event.cachedTokenCount] : []));
  return { tokens, cached, rowCount: steps.reduce((sum, { rowCount }) => sum + rowCount, 0) };
}

test("a striped prompt that comes again, and one that begins alike, read what is with a context worker already, and answer the same", async () => {
  const worker = await serve(3 * segmentBytes);
  const holder = await worker.call();
  const local = await openLocalEngine(model.path, {
    prefillRowsMax: 256,
    stripes: { above: 1000, keeps: true, holders: () => [holder] },
  });
  const plain = await openLocalEngine(model.path, { prefillRowsMax: 256, prefixCache: false });
  const first = prompt(LENGTH, 1);
  const other = [...first.slice(0, 1500), ...prompt(LENGTH - 1500, 2)];
  const expected = await ask(plain, "plain", first);
  expect(expected.tokens).toHaveLength(TOKEN_COUNT);
  const computed = await ask(local, "first", first);
  expect(computed).toEqual({ ...expected, cached: [0] });
  expect([worker.store.byteCount, local.sequences.kvBytesUsed]).toEqual([2 * segmentBytes, 0]);
  while (holder.bytesFree < 3 * segmentBytes) await setImmediate();
  expect(worker.kept.byteCount).toBe(2 * segmentBytes);
  const again = await ask(local, "again", first);
  expect(again).toEqual({ tokens: expected.tokens, cached: [2048], rowCount: expected.rowCount - 2048 });
  while (holder.bytesFree < 3 * segmentBytes) await setImmediate();
  const alike = await ask(local, "other", other);
  expect(alike).toEqual({
    tokens: (await ask(plain, "plain-other", other)).tokens,
    cached: [1024],
    rowCount: expected.rowCount - 1024,
  });
  while (worker.kept.byteCount < 3 * segmentBytes) await setImmediate();
  expect(worker.store.byteCount).toBe(3 * segmentBytes);
  holder[Symbol.dispose]();
  local.sequences.takeEvents();
  expect(local.sequences.digest().global.count).toBe(0);
});

test("what an attention worker has left when it is gone, or gives up while its request runs, another one takes over and goes on with", async () => {
  const worker = await serve(3 * segmentBytes);
  const open = async () => {
    const holder = await worker.call();
    const options = { prefillRowsMax: 256, stripes: { above: 1000, keeps: true, holders: () => [holder] } };
    return { holder, local: await openLocalEngine(model.path, options) };
  };
  const promptIds = prompt(LENGTH, 1);
  const [first, second] = [await open(), await open()];
  expect(first.local.engine.place(greedyTask("lost", promptIds, TOKEN_COUNT))).toBeUndefined();
  const tokensOf = () => first.local.events.flatMap(({ event }) => (event.kind === "token" ? [event.tokenId] : []));
  while (tokensOf().length < 3) {
    await first.local.engine.step();
    first.local.engine.flush();
    await setImmediate();
  }
  first.holder[Symbol.dispose]();
  while (worker.kept.count < 2) await setImmediate();
  expect(worker.store.byteCount).toBe(2 * segmentBytes);
  const rest = await ask(second.local, "resumed", [...promptIds, ...tokensOf()]);
  expect(rest.cached).toEqual([2048]);
  expect(rest.rowCount).toBe(LENGTH + 3 - 2048 + TOKEN_COUNT - 1);
  second.local.events.length = 0;
  // A request that is handed back goes on elsewhere.
  const third = await open();
  second.local.engine.place(greedyTask("running", promptIds, 100));
  while (second.local.events.every(({ event }) => event.kind !== "token")) {
    await second.local.engine.step();
    second.local.engine.flush();
    await setImmediate();
  }
  expect(worker.kept.count).toBe(0);
  second.local.engine.handBack("all");
  while (worker.kept.count < 2) await setImmediate();
  third.local.engine.place({ ...greedyTask("moved", promptIds, TOKEN_COUNT), attempt: ATTEMPT_STRIDE });
  const steps = await drain(third.local);
  expect(steps.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(LENGTH - 2048 + TOKEN_COUNT - 1);
  const answer = third.local.events.flatMap(({ event }) => (event.kind === "token" ? [event.tokenId] : []));
  expect(answer.slice(0, 3)).toEqual(tokensOf());
  expect(answer.slice(3)).toEqual(rest.tokens.slice(0, TOKEN_COUNT - 3));
  // Of a worker that is about to end nobody takes anything over.
  third.holder[Symbol.dispose]();
  worker.kept.keepsOrphans = false;
  while (worker.store.byteCount > 0) await setImmediate();
  expect([worker.kept.byteCount, worker.kept.count]).toEqual([0, 0]);
});

test("what is kept for one attention worker gives way to another one's, the one that was kept longest first, and its owner hears of it", async () => {
  const worker = await serve(3 * segmentBytes);
  const [one, other] = [await worker.call(), await worker.call()];
  const rows = () => new Uint8Array(geometry.segmentRows * worker.store.rowBytes);
  const layers = Array.from({ length: worker.store.layerCount }, () => ({ k: rows(), v: rows() }));
  const put = (holder: ContextStreamHolder, sequenceId: string, segment: number) =>
    holder.put({ sequenceId, segment, rowCount: geometry.segmentRows, dtype: "f32", layers });
  for (const segment of [0, 1, 2]) expect(await put(one, "a", segment)).toBe(true);
  expect(one.bytesFree).toBe(0);
  expect(await put(other, "b", 0)).toBe(false);
  for (const segment of [2, 1]) one.keeping?.keep("a", segment);
  expect(await one.keeping?.use("a", [0])).toEqual([0]);
  expect([one.bytesFree, one.keeping?.bytesKept]).toEqual([2 * segmentBytes, 2 * segmentBytes]);
  expect(await put(other, "b", 0)).toBe(true);
  expect(await one.keeping?.use("a", [1, 2])).toEqual([1]);
  expect(one.keeping?.takeGone()).toEqual([{ sequenceId: "a", segment: 2 }]);
  expect(one.keeping?.takeGone()).toEqual([]);
  // What is read stays: nobody makes room of it.
  expect(await put(other, "b", 1)).toBe(false);
  expect(worker.store.byteCount).toBe(3 * segmentBytes);
  one.keeping?.keep("a", 1);
  one.drop("a");
  expect(await one.keeping?.use("a", [0, 1])).toEqual([]);
  expect([worker.store.byteCount, worker.kept.byteCount, worker.kept.goneCount]).toEqual([segmentBytes, 0, 1]);
});

/** Steps until a request has told so many tokens; returns how many rows they had. */
async function until(local: LocalEngine, name: string, tokenCount: number): Promise<number> {
  const before = local.steps.length;
  const told = () => local.events.filter(({ requestId, event }) => requestId === name && event.kind === "token").length;
  while (told() < tokenCount) {
    await local.engine.step();
    local.engine.flush();
    await setImmediate();
  }
  return local.steps.slice(before).reduce((sum, { rowCount }) => sum + rowCount, 0);
}

test("of streams that read the same segments one computes again what a context worker has lost, and all go on with it", async () => {
  const workers = [await serve(4 * segmentBytes), await serve(4 * segmentBytes)];
  const holders = await Promise.all(workers.map(({ call }, i) => call(`context-${i}`)));
  const options = { prefillRowsMax: 256, stripes: { above: 1000, keeps: true, holders: () => holders } };
  const local = await openLocalEngine(model.path, options);
  const promptIds = prompt(LENGTH, 1);
  const names = ["one", "two"];
  const count = 20;
  for (const name of names) {
    expect(local.engine.place(greedyTask(name, promptIds, count))).toBeUndefined();
    await until(local, name, 3);
  }
  const told = () => local.events.filter(({ event }) => event.kind === "token").length;
  const left = names.length * count - told();
  at(holders, 0)[Symbol.dispose]();
  while (at(holders, 0).connected) await setImmediate();
  const steps = await drain(local);
  expect(told()).toBe(names.length * count);
  expect(steps.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(geometry.segmentRows + left);
  const plain = await openLocalEngine(model.path, { prefillRowsMax: 256, prefixCache: false });
  plain.engine.place(greedyTask("plain", promptIds, count));
  await drain(plain);
  const tokensOf = ({ events }: LocalEngine, name: string) =>
    events.flatMap(({ requestId, event }) => (requestId === name && event.kind === "token" ? [event.tokenId] : []));
  for (const name of names) expect(tokensOf(local, name)).toEqual(tokensOf(plain, "plain"));
  expect(local.sequences.kvBytesUsed).toBe(0);
});

test("a context worker that does not say what it still has of a prompt holds up nobody else", async () => {
  const worker = await serve(3 * segmentBytes);
  const holder = await worker.call();
  const options = { prefillRowsMax: 256, stripes: { above: 1000, keeps: true, holders: () => [holder] } };
  const local = await openLocalEngine(model.path, options);
  const promptIds = prompt(LENGTH, 1);
  const first = await ask(local, "first", promptIds);
  while (worker.kept.count < 2) await setImmediate();
  const { keeping } = holder;
  const said = Promise.withResolvers<void>();
  const use = async (sequenceId: string, segments: readonly number[]) => {
    await said.promise;
    return (await keeping?.use(sequenceId, segments)) ?? [];
  };
  Object.defineProperty(holder, "keeping", { value: { ...keeping, use, takeGone: () => [] } });
  local.engine.place(greedyTask("stream", prompt(50, 2), 30));
  await until(local, "stream", 2);
  local.engine.place(greedyTask("again", promptIds, TOKEN_COUNT));
  await until(local, "stream", 20);
  expect(local.events.some(({ requestId, event }) => requestId === "again" && event.kind === "token")).toBe(false);
  said.resolve();
  const rowCount = await until(local, "again", TOKEN_COUNT);
  expect(rowCount).toBeLessThan(LENGTH - 2048 + TOKEN_COUNT + 30);
  await drain(local);
  const tokens = local.events.flatMap(({ requestId, event }) =>
    requestId === "again" && event.kind === "token" ? [event.tokenId] : [],
  );
  expect(tokens).toEqual(first.tokens);
});
