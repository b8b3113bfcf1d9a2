import { setImmediate } from "node:timers/promises";
import { KeptSegments } from "@drover/rpc";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import { afterAll, expect, test } from "vitest";
import { prompt } from "./engine-answers.ts";
import { StripedModel } from "./striped-model.ts";

const LENGTH = 2100;
const TOKEN_COUNT = 8;
/** Of a prompt all but what is behind its last whole segment. */
const STRIPED = 2048;

const model = await StripedModel.open();
const { segmentBytes } = model;
afterAll(() => model[Symbol.asyncDispose]());

/** A context worker with room for so many segments. */
async function openContext(name: string, segmentCount: number) {
  const kept = new KeptSegments();
  return { name, kept, ...(await model.serve(segmentCount * segmentBytes, kept)) };
}

type Context = Awaited<ReturnType<typeof openContext>>;

/** An attention worker that knows these context workers. */
async function openAttention(contexts: readonly Context[]) {
  const holders = await Promise.all(contexts.map(({ name, address }) => model.call(name, address)));
  const stripes = { above: 1000, keeps: true, holders: () => holders };
  return { holders, local: await openLocalEngine(model.path, { prefillRowsMax: 256, stripes }) };
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
  const plain = await openLocalEngine(model.path, { prefillRowsMax: 256, prefixCache: false });
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
  expect(contexts.map(({ store }) => store.byteCount)).toEqual([0, 2 * segmentBytes]);
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
