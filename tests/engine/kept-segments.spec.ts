import { setImmediate } from "node:timers/promises";
import { loadModelConfig } from "@drover/checkpoint";
import { silentLogger, systemClock } from "@drover/core";
import { kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { ContextStreamHolder, contextService, createServer, KeptSegments, listen } from "@drover/rpc";
import { drain, greedyTask, type LocalEngine, openLocalEngine, tinyModel } from "@drover/testkit";
import { afterAll, expect, test } from "vitest";
import { prompt } from "./engine-answers.ts";

const LENGTH = 2100;
const TOKEN_COUNT = 8;
/** Of a prompt all but what is behind its last whole segment. */
const STRIPED = 2048;

const folder = await tinyModel(7);
const config = await loadModelConfig(folder.path);
const geometry = kvGeometry(config, "f32");
const SEGMENT_BYTES = geometry.segmentRows * geometry.rowBytes;
const held = new DisposableStack();
afterAll(async () => {
  held.dispose();
  await folder[Symbol.asyncDispose]();
});

/** A context worker with room for so many segments. */
async function openContext(name: string, segmentCount: number) {
  const bytesMax = segmentCount * SEGMENT_BYTES;
  const store = held.use(new ContextStore(config, geometry, { threads: 1, bytesMax }));
  const kept = new KeptSegments();
  const server = createServer();
  server.addService(...contextService(store, { attended: () => undefined }, undefined, kept));
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  held.defer(() => server.forceShutdown());
  return { name, store, kept, address };
}

type Context = Awaited<ReturnType<typeof openContext>>;

/** An attention worker that knows these context workers. */
async function openAttention(contexts: readonly Context[]) {
  const holders = contexts.map(({ name, address }) =>
    held.use(new ContextStreamHolder(name, address, systemClock, silentLogger)),
  );
  while (holders.some(({ connected }) => !connected)) await setImmediate();
  const stripes = { above: 1000, keeps: true, holders: () => holders };
  return { holders, local: await openLocalEngine(folder.path, { prefillRowsMax: 256, stripes }) };
}

/** Asks for a prompt; its tokens, and how many rows were computed for it. */
async function ask(local: LocalEngine, name: string, promptIds: readonly number[]) {
  // Told by context workers, also of room that other attention workers have given up.
  const rowCountMax = promptIds.length + TOKEN_COUNT;
  while (local.sequences.isStriped(rowCountMax) && local.sequences.stripedRowsFree < rowCountMax) await setImmediate();
  expect(local.engine.place(greedyTask(name, promptIds, TOKEN_COUNT))).toBeUndefined();
  const steps = await drain(local);
  const tokens = local.events.flatMap(({ requestId, event }) =>
    requestId === name && event.kind === "token" ? [event.tokenId] : [],
  );
  return { tokens, rowCount: steps.reduce((sum, { rowCount }) => sum + rowCount, 0) };
}

test("what two attention workers leave with two context workers either finds again, also once one of these has drained", async () => {
  const contexts = [await openContext("context-0", 2), await openContext("context-1", 3)] as const;
  const workers = [await openAttention(contexts), await openAttention(contexts)] as const;
  const keptOf = () => contexts.map(({ kept }) => kept.count);
  const promptIds = prompt(LENGTH, 1);
  const plain = await openLocalEngine(folder.path, { prefillRowsMax: 256, prefixCache: false });
  const { tokens } = await ask(plain, "plain", promptIds);
  expect(tokens).toHaveLength(TOKEN_COUNT);
  const whole = { tokens, rowCount: LENGTH + TOKEN_COUNT - 1 };
  const rest = { tokens, rowCount: whole.rowCount - STRIPED };

  expect(await ask(workers[0].local, "first", promptIds)).toEqual(whole);
  while (keptOf().join() !== "1,1") await setImmediate();
  // Each takes over what the other has left.
  expect(await ask(workers[1].local, "second", promptIds)).toEqual(rest);
  while (keptOf().join() !== "1,1") await setImmediate();
  expect(await ask(workers[0].local, "third", promptIds)).toEqual(rest);
  while (keptOf().join() !== "1,1") await setImmediate();

  for (const { holders, local } of workers) {
    for (const holder of holders) holder.draining = holder.workerId === "context-0";
    local.sequences.holdersChanged();
  }
  while (keptOf().join() !== "0,2") await setImmediate();
  expect(contexts.map(({ store }) => store.byteCount)).toEqual([0, 2 * SEGMENT_BYTES]);
  for (const [i, { local }] of [workers[1], workers[0]].entries()) {
    expect(await ask(local, `drained-${i}`, promptIds)).toEqual(rest);
    while (keptOf().join() !== "0,2") await setImmediate();
  }

  // One of both loses its stream to the one that is left, and the other one finds what it had.
  for (const holder of workers[0].holders) holder[Symbol.dispose]();
  while (keptOf().join() !== "0,2") await setImmediate();
  expect(await ask(workers[1].local, "alone", promptIds)).toEqual(rest);
  for (const { local } of workers) expect(local.sequences.kvBytesUsed).toBe(0);
});
