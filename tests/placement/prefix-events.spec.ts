import { create } from "@bufbuild/protobuf";
import {
  DroverError,
  modelId,
  neverAborted,
  requestId,
  routerId,
  silentLogger,
  systemClock,
  workerId,
} from "@drover/core";
import { NO_STATUS, sampleHashes } from "@drover/fleet";
import { BLOCK_TOKENS, BlockHashes, CountingStore, KvCache, kvGeometry } from "@drover/kv";
import { Cluster, type ClusterState, WatchRequestSchema } from "@drover/proto";
import { EmbeddedLease, EmbeddedPayloadStore, EmbeddedQueue } from "@drover/queue";
import { createServer, listen, RpcClient } from "@drover/rpc";
import { Scheduler } from "@drover/scheduler";
import { createMetrics } from "@drover/telemetry";
import { joinOverGrpc, type ReportedCache, SchedulerLink } from "@drover/worker";
import { afterAll, beforeAll, expect, test } from "vitest";

const nano = modelId("nano");
const CHUNK = 256;
const geometry = kvGeometry({ isGlobalLayer: [false, true], chunkSize: CHUNK, kvHeadCount: 1, headDim: 1 }, "f32");
const cache = new KvCache(geometry, new CountingStore(geometry), { bytesMax: 2 ** 24, prefixCache: true });
/** Loses what it is told to lose, on its way to the scheduler. */
let loses = false;
let taken = Promise.withResolvers<void>();
const lossy: ReportedCache = {
  takeEvents: () => {
    const events = cache.takeEvents();
    if (events.length > 0) taken.resolve();
    return loses ? events.filter((_, i) => i % 2 === 0) : events;
  },
  digest: () => cache.digest(),
  snapshot: () => cache.snapshot(),
};

const ended = new AbortController();
const server = createServer();
const queue = new EmbeddedQueue(systemClock);
/** Requests whose placement was asked for, so that it has been decided. */
const placed = new Map<string, PromiseWithResolvers<void>>();
let scheduler: Scheduler;
let address = "";
let running: Promise<void>;

function join(): SchedulerLink {
  const link = new SchedulerLink({
    clock: systemClock,
    open: joinOverGrpc(),
    addresses: [address],
    logger: silentLogger,
  });
  link.join({
    hello: {
      profile: {
        workerId: workerId("a"),
        incarnation: "life-1",
        modelId: nano,
        roles: ["attention", "experts"],
        address: "127.0.0.1:1",
        adminAddress: "",
      },
      checkpoint: { fingerprint: "f", moeLayers: [1], expertCount: 1, chunkTokens: CHUNK },
    },
    status: () => ({ ...NO_STATUS, kvBytesMax: 2 ** 24, contextTokensMax: 100_000, sentAtMs: systemClock.now() }),
    loaded: () => new Map([[1, new Set([0])]]),
    obey: () => undefined,
    cache: lossy,
  });
  return link;
}

beforeAll(async () => {
  scheduler = new Scheduler({
    queue,
    payloads: new EmbeddedPayloadStore(systemClock),
    lease: new EmbeddedLease("here", 1),
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics({ process: "scheduler" }),
    modelId: nano,
    schedulerId: "scheduler-1",
    expectExperts: 1,
    caller: {
      place: async (_worker, _address, { payload }) => {
        placed.get(Buffer.from(payload).toString())?.resolve();
        throw new DroverError("unavailable", "this worker has no engine");
      },
      forget: () => undefined,
      [Symbol.dispose]: () => undefined,
    },
  });
  scheduler.addTo(server);
  address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  running = scheduler.run(ended.signal);
});

afterAll(async () => {
  ended.abort();
  await running;
  server.forceShutdown();
});

const hashesOf = (text: number, length: number) => {
  const hashes = new BlockHashes({ modelFingerprint: "nano f", salt: "" });
  hashes.append(Array.from({ length }, () => text));
  return hashes;
};

function compute(text: number, length: number): void {
  const hashes = hashesOf(text, length);
  const handle = cache.open(hashes, { promptLength: length });
  const rowCount = length - handle.length;
  if (cache.reserve(handle, rowCount)) cache.commit(handle, rowCount);
  cache.close(handle, true);
}

const cachedBlocks = () => cache.digest().global.count + cache.digest().local.count;

/** Watches the cluster as a router does, until the index has as many blocks as the cache. */
async function exact(): Promise<void> {
  using client = new RpcClient(address);
  const request = create(WatchRequestSchema, { routerId: "r", modelId: nano });
  for await (const state of client.serverStream(Cluster.method.watch, request) as AsyncIterable<ClusterState>)
    if (Number(state.workers[0]?.indexedBlockCount ?? -1n) === cachedBlocks()) return;
}

/** What the scheduler expected to be cached of a prompt that it was given. */
async function expected(id: string, text: number, length: number): Promise<number> {
  const decided = Promise.withResolvers<void>();
  placed.set(id, decided);
  await queue.add(
    [
      {
        requestId: requestId(id),
        modelId: nano,
        routerId: routerId("r"),
        lane: "short",
        front: false,
        attemptBase: 0,
        deadlineMs: systemClock.now() + 60_000,
        enqueuedAtMs: systemClock.now(),
        promptTokenCount: length,
        newTokenCountMax: 1,
        choiceCount: 1,
        blockHashes: sampleHashes(hashesOf(text, length).wire),
        payload: { kind: "inline", bytes: Buffer.from(id) },
      },
    ],
    neverAborted,
  );
  await decided.promise;
  const decision = scheduler.explain(id).find(({ kind }) => kind === "worker");
  return Number(decision?.candidates[0]?.cachedTokenCount);
}

test("what a worker has cached is expected there, after lost events and lost streams too", async () => {
  let link = join();
  for (let text = 1; text < 20; text++) compute(text, 1000 + 10 * text);
  await exact();
  expect(await expected("one", 3, 1030)).toBe(cache.cachedCount(hashesOf(3, 1030), 1030));
  expect(cache.cachedCount(hashesOf(3, 1030), 1030)).toBe(Math.floor(1029 / BLOCK_TOKENS) * BLOCK_TOKENS);

  loses = true;
  for (let round = 0; round < 10; round++) {
    taken = Promise.withResolvers();
    for (let text = 100 * round; text < 100 * round + 20; text++) compute(text, 2000 + text);
    await taken.promise;
  }
  loses = false;
  await exact();

  // Another stream of the same life: nothing is sent again unless it is asked for.
  link[Symbol.dispose]();
  for (let text = 1; text < 5; text++) compute(5000 + text, 3000);
  cache.takeEvents();
  link = join();
  await exact();
  expect(await expected("two", 5002, 3000)).toBe(cache.cachedCount(hashesOf(5002, 3000), 3000));
  expect(await expected("three", 7000, 3000)).toBe(0);
  link[Symbol.dispose]();
});
