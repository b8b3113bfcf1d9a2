import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { loadModelConfig } from "@drover/checkpoint";
import {
  type AttendCall,
  type AttendedPart,
  type ContextHolder,
  type SegmentRows,
  silentLogger,
  systemClock,
} from "@drover/core";
import { LocalContextHolder } from "@drover/exchange";
import { kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { ContextWorker, GetSegmentSchema } from "@drover/proto";
import { bytesOf, ContextStreamHolder, contextService, createServer, listen, RpcClient } from "@drover/rpc";
import {
  drain,
  freePort,
  greedyTask,
  type LocalEngine,
  type LocalEngineOptions,
  openLocalEngine,
} from "@drover/testkit";
import { expect, test } from "vitest";

const model = join(import.meta.dirname, "../../models/nano");
const config = await loadModelConfig(model);
const geometry = kvGeometry(config, "f32");
const ids = (length: number, seed: number) => Array.from({ length }, (_, i) => (i * 7919 + seed * 104_729) % 3000);

/** A holder in this process that can be killed: a new life begins with nothing. */
class MortalHolder implements ContextHolder {
  readonly workerId: string;
  readonly bytesMax: number;
  life = 1;
  connected = true;
  readonly draining = false;
  readonly transfer = undefined;
  attendCount = 0;
  #store: ContextStore;
  #holder: LocalContextHolder;

  constructor(workerId: string, bytesMax = 2 ** 30) {
    this.workerId = workerId;
    this.bytesMax = bytesMax;
    this.#store = new ContextStore(config, geometry, { threads: 1, bytesMax });
    this.#holder = new LocalContextHolder(workerId, this.#store);
  }

  get bytesFree(): number {
    return this.#store.bytesFree;
  }

  get byteCount(): number {
    return this.#store.byteCount;
  }

  put(rows: SegmentRows): Promise<boolean> {
    return this.#holder.put(rows);
  }

  async attend(call: AttendCall): Promise<AttendedPart | undefined> {
    this.attendCount += 1;
    return this.connected ? this.#holder.attend(call) : undefined;
  }

  drop(sequenceId: string): void {
    this.#holder.drop(sequenceId);
  }

  die(): void {
    this.life += 1;
    this.#store = new ContextStore(config, geometry, { threads: 1, bytesMax: this.bytesMax });
    this.#holder = new LocalContextHolder(this.workerId, this.#store);
  }
}

const holdersOf = (count: number, bytesMax?: number) =>
  Array.from({ length: count }, (_, i) => new MortalHolder(`context-${i}`, bytesMax));

type Answer = Readonly<{ tokens: number[]; logprobs: number[] }>;

function place(local: LocalEngine, name: string, prompt: readonly number[], n = 1): void {
  const task = greedyTask(name, prompt, 12);
  const delivered = Array.from({ length: n }, () => ({ tokenIds: [], finished: false }));
  expect(local.engine.place({ ...task, delivered, params: { ...task.params, n, topLogprobs: 0 } })).toBeUndefined();
}

function answersOf(local: LocalEngine, name: string, n = 1): Answer[] {
  const answers: Answer[] = Array.from({ length: n }, () => ({ tokens: [], logprobs: [] }));
  for (const { requestId, event } of local.events) {
    if (requestId !== name || event.kind !== "token") continue;
    answers[event.choice]?.tokens.push(event.tokenId);
    answers[event.choice]?.logprobs.push(event.logprob);
  }
  return answers;
}

async function ask(local: LocalEngine, name: string, prompt: readonly number[], n = 1): Promise<Answer[]> {
  place(local, name, prompt, n);
  await drain(local);
  return answersOf(local, name, n);
}

const open = (holders: readonly ContextHolder[], options: Partial<LocalEngineOptions> = {}) =>
  openLocalEngine(model, {
    prefillRowsMax: 512,
    stripes: { above: 1000, holders: () => holders },
    ...options,
  });

function expectSame(found: readonly Answer[], expected: readonly Answer[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, { tokens, logprobs }] of expected.entries()) {
    expect(found[i]?.tokens).toEqual(tokens);
    expect(tokens).toHaveLength(12);
    for (const [at, logprob] of logprobs.entries())
      expect(Math.abs((found[i]?.logprobs[at] ?? Number.NaN) - logprob)).toBeLessThan(2e-3);
  }
}

/** The unstriped engine's answers, each computed once. */
const plain = await openLocalEngine(model, { prefillRowsMax: 512, prefixCache: false });
const known = new Map<number, Answer[]>();
async function expected(length: number): Promise<Answer[]> {
  const answers = known.get(length) ?? (await ask(plain, `plain-${length}`, ids(length, length)));
  known.set(length, answers);
  return answers;
}

test.each([
  [1, 512],
  [2, 1000],
  [4, 256],
  [1, 16],
])("over %i holders and in steps of %i rows, answers are as without stripes", async (count, rows) => {
  const holders = holdersOf(count);
  const local = await open(holders, { prefillRowsMax: rows });
  for (const length of rows === 16 ? [1100] : count === 4 ? [4700] : [2500]) {
    expectSame(await ask(local, `striped-${length}`, ids(length, length)), await expected(length));
  }
  for (const holder of holders) {
    expect(holder.attendCount).toBeGreaterThan(0);
    expect(holder.byteCount).toBe(0);
  }
  expect(local.sequences.kvBytesUsed).toBe(0);
  local.sequences.cache.checkIntegrity();
});

test("the worker itself never holds more than chunks and three segments of a striped sequence", async () => {
  const local = await open(holdersOf(2));
  place(local, "long", ids(3500, 1));
  let most = 0;
  let held = 0;
  while (local.engine.load().pendingTokenCount > 0) {
    await local.engine.step();
    most = Math.max(most, local.sequences.kvUse.global.referenced);
    held = Math.max(held, local.sequences.kvBytesUsed);
  }
  const rowBytes = 2 * geometry.rowBytes;
  expect(most).toBeLessThanOrEqual(3 * geometry.segmentRows * rowBytes);
  expect(held).toBeLessThan(3500 * rowBytes);
});

test("striped and short requests share steps, and choices of a striped one are each right", async () => {
  const local = await open(holdersOf(2));
  place(local, "striped", ids(2048, 2048), 2);
  place(local, "short", ids(300, 300));
  place(local, "other", ids(1020, 1020));
  await drain(local);
  const [one] = await expected(2048);
  if (one === undefined) throw new Error("an answer");
  expectSame(answersOf(local, "striped", 2), [one, one]);
  expectSame(answersOf(local, "short"), await expected(300));
  expectSame(answersOf(local, "other"), await expected(1020));
});

test.each([[2600], [3200]])(
  "a holder that dies when %i rows are computed has its segments, and only these, computed again",
  async (rowsBefore) => {
    const holders = holdersOf(2);
    const local = await open(holders);
    place(local, "mended", ids(3300, 3300));
    let rows = 0;
    let died = false;
    local.steps.length = 0;
    while (local.engine.load().pendingTokenCount > 0) {
      await local.engine.step();
      rows = local.steps.reduce((sum, { rowCount }) => sum + rowCount, 0);
      if (rows >= rowsBefore && !died) {
        died = true;
        holders[1]?.die();
      }
    }
    local.engine.flush();
    expectSame(answersOf(local, "mended"), await expected(3300));
    const again = rows - 3300 - 11;
    expect(again).toBeGreaterThanOrEqual(geometry.segmentRows);
    expect(again).toBeLessThanOrEqual(2 * geometry.segmentRows);
    expect(again % geometry.segmentRows).toBe(0);
    expect(local.preemptions()).toBe(0);
  },
);

test("a request that holders have no room for is refused at the door, and is no reason to refuse others", async () => {
  const local = await open(holdersOf(2, 2 ** 20), { kvBytesMax: 8 * 2 ** 20 });
  const task = greedyTask("too-long", ids(9000, 1), 12);
  expect(local.engine.place(task)?.code).toBe("invalid_argument");
  const fits = greedyTask("fits", ids(2000, 1), 12);
  expect(local.engine.place(fits)).toBeUndefined();
  expect(local.engine.place(greedyTask("beside", ids(2000, 2), 12))?.code).toBe("overloaded");
});

test("over a stream answers are the same, also when the holder ends and another one comes in its place", async () => {
  const port = await freePort();
  const serve = async () => {
    const store = new ContextStore(config, geometry, { threads: 1, bytesMax: 2 ** 28 });
    const server = createServer();
    server.addService(...contextService(store, { attended: () => undefined }));
    await listen(server, `127.0.0.1:${port}`);
    return { store, server };
  };
  const first = await serve();
  using holder = new ContextStreamHolder("context-0", `127.0.0.1:${port}`, systemClock, silentLogger);
  const connected = async () => {
    while (!holder.connected) await setImmediate();
  };
  await connected();
  expect(holder.bytesFree).toBe(2 ** 28);
  const local = await open([holder]);
  place(local, "streamed", ids(2500, 2500));
  local.steps.length = 0;
  const rows = () => local.steps.reduce((sum, { rowCount }) => sum + rowCount, 0);
  while (rows() < 2300 || first.store.segmentCount === 0) {
    await local.engine.step();
    await setImmediate();
  }
  first.server.forceShutdown();
  while (holder.connected) await setImmediate();
  const second = await serve();
  await connected();
  while (local.engine.load().pendingTokenCount > 0) {
    await local.engine.step();
    await setImmediate();
  }
  local.engine.flush();
  expectSame(answersOf(local, "streamed"), await expected(2500));
  expect(first.store.byteCount).toBe(0);
  while (second.store.byteCount > 0) await setImmediate();
  second.server.forceShutdown();
});

test("a segment is read back bit for bit, in frames that fit", async () => {
  const store = new ContextStore(config, geometry, { threads: 1, bytesMax: 2 ** 28 });
  const server = createServer();
  server.addService(...contextService(store, { attended: () => undefined }));
  const port = await listen(server, "127.0.0.1:0");
  using holder = new ContextStreamHolder("context-0", `127.0.0.1:${port}`, systemClock, silentLogger);
  while (!holder.connected) await setImmediate();
  const floats = (geometry.segmentRows * store.rowBytes) / 4;
  const layer = (seed: number) => bytesOf(Float32Array.from({ length: floats }, (_, i) => Math.sin(i * seed)));
  const layers = Array.from({ length: store.layerCount }, (_, i) => ({ k: layer(i + 1), v: layer(i + 9) }));
  const segment = { sequenceId: "s", segment: 3, rowCount: geometry.segmentRows, dtype: "f32", layers } as const;
  expect(await holder.put(segment)).toBe(true);
  using client = new RpcClient(`127.0.0.1:${port}`);
  const request = create(GetSegmentSchema, { sequenceId: "s", segment: 3 });
  let sum = 0;
  for await (const frame of client.serverStream(ContextWorker.method.get, request)) {
    const { k, v } = layers[frame.layer] ?? { k: new Uint8Array(), v: new Uint8Array() };
    const sent = (frame.values ? v : k).subarray(frame.offset, frame.offset + frame.rows.length);
    expect(Buffer.compare(sent, frame.rows)).toBe(0);
    expect(frame.rows.length).toBeLessThanOrEqual(256 * 1024);
    sum += frame.rows.length;
  }
  expect(sum).toBe(store.byteCount);
  expect(await holder.put({ ...segment, segment: 4, rowCount: 1 })).toBe(false);
  server.forceShutdown();
});
