import { randomUUID } from "node:crypto";
import { ATTEMPT_STRIDE, modelId, neverAborted, systemClock } from "@drover/core";
import {
  BullQueue,
  EmbeddedPayloadStore,
  EmbeddedQueue,
  jobQueueService,
  openRedis,
  RedisLease,
  RedisPayloadStore,
  RemoteQueue,
} from "@drover/queue";
import { createServer, listen, PROTOCOL, RpcClient } from "@drover/rpc";
import { freePort, RecordingLogger, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobOf, queueConformance } from "./queue-conformance.ts";

queueConformance("the embedded queue", async () => {
  const queue = new EmbeddedQueue(systemClock);
  return {
    producer: queue,
    consumer: queue,
    payloads: new EmbeddedPayloadStore(systemClock),
    close: () => queue.close(),
  };
});

queueConformance("the embedded queue over gRPC", async () => {
  const queue = new EmbeddedQueue(systemClock);
  const server = createServer();
  server.addService(...jobQueueService(queue, new EmbeddedPayloadStore(systemClock)));
  const client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
  const remote = new RemoteQueue(() => client);
  return {
    producer: remote,
    consumer: queue,
    payloads: remote,
    close: async () => {
      client[Symbol.dispose]();
      server.forceShutdown();
    },
  };
});

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("the queue's tests need redis-server or valkey-server");

describe.skipIf(binary === undefined)("with Redis (needs redis-server or valkey-server)", async () => {
  const redis = new TestRedis(binary ?? "", await freePort());
  beforeAll(() => redis.start());
  afterAll(() => redis[Symbol.asyncDispose]());

  queueConformance("the BullMQ queue", async () => {
    const producer = openRedis(redis.url, { producer: true });
    const consumer = openRedis(redis.url, { producer: false });
    if (producer.status !== "ready") await new Promise((resolve) => producer.once("ready", resolve));
    const cluster = randomUUID();
    const queue = new BullQueue({ redis: producer, consumer, cluster, modelId: modelId("nano"), clock: systemClock });
    return {
      producer: queue,
      consumer: queue,
      payloads: new RedisPayloadStore(producer, cluster),
      close: async () => {
        await queue.close();
        producer.disconnect();
        consumer.disconnect();
      },
    };
  });

  test("one candidate leads at a time, and each leader's epoch is greater", async () => {
    const connection = openRedis(redis.url, { producer: false });
    const lease = (address: string) =>
      new RedisLease(connection, { cluster: "lease", modelId: "nano", address, clock: systemClock });
    const first = await lease("a:1").acquire(neverAborted);
    const waiting = new AbortController();
    const second = lease("b:2").acquire(waiting.signal);
    expect(await lease("c:3").leaderAddress(neverAborted)).toBe("a:1");
    await first.release();
    const held = await second;
    expect(held.epoch).toBeGreaterThan(first.epoch);
    expect(await lease("c:3").leaderAddress(neverAborted)).toBe("b:2");
    await held.release();
    connection.disconnect();
  });

  test("a candidate whose Redis is away waits, says why, and leads once Redis has come", async () => {
    await using own = new TestRedis(binary ?? "", await freePort());
    const logger = new RecordingLogger();
    const connection = openRedis(own.url, { producer: true, logger });
    const lease = new RedisLease(connection, { cluster: "late", modelId: "nano", address: "a:1", clock: systemClock });
    const held = lease.acquire(neverAborted);
    await expect.poll(() => logger.events().length).toBe(1);
    expect(lease.trouble).toMatch(/cannot be reached/);
    await own.start();
    await (await held).release();
    expect(lease.trouble).toBeUndefined();
    // Once each, however often it was tried.
    expect(logger.events()).toEqual(["redis.waiting", "redis.connected"]);
    connection.disconnect();
  });

  test("a job of a build that does not agree is put aside, said once, and taken by a scheduler that knows it", async () => {
    const newer = { version: PROTOCOL.version + 1, oldest: PROTOCOL.version + 1 };
    const connections = [openRedis(redis.url, { producer: true }), openRedis(redis.url, { producer: false })] as const;
    const [connection, consumer] = connections;
    if (connection.status !== "ready") await new Promise((resolve) => connection.once("ready", resolve));
    const logger = new RecordingLogger();
    const shared = { redis: connection, consumer, cluster: "mixed", modelId: modelId("nano"), clock: systemClock };
    const [older, later] = [new BullQueue({ ...shared, logger }), new BullQueue({ ...shared, protocol: newer })];
    const [foreign, own] = [[jobOf(), jobOf()], jobOf()];
    await later.add(foreign, neverAborted);
    await older.add([own], neverAborted);
    const lease = await older.take("short", neverAborted);
    expect(lease?.job.requestId).toBe(own.requestId);
    expect(await older.take("short", neverAborted)).toBeUndefined();
    expect(logger.events()).toEqual(["queue.foreign_job"]);
    const found: string[] = [];
    const collect = async () => {
      const taken = await later.take("short", neverAborted);
      if (taken !== undefined) found.push(taken.job.requestId);
      return found.length;
    };
    await expect.poll(collect, { interval: 100 }).toBe(2);
    expect(found.sort()).toEqual(foreign.map(({ requestId }) => requestId).sort());
    await Promise.all([older.close(), later.close()]);
    for (const one of connections) one.disconnect();
  });

  test("a cancel that a full Redis refuses is a fault, and taken once there is room", async () => {
    await using own = new TestRedis(binary ?? "", await freePort());
    await own.start();
    const connection = openRedis(own.url, { producer: true });
    await new Promise((resolve) => connection.once("ready", resolve));
    const queue = new BullQueue({ redis: connection, cluster: "full", modelId: modelId("nano"), clock: systemClock });
    const { requestId } = jobOf();
    await connection.config("SET", "maxmemory", "1");
    await expect(queue.cancel([requestId], neverAborted)).rejects.toMatchObject({ code: "unavailable" });
    await connection.config("SET", "maxmemory", "0");
    await queue.cancel([requestId], neverAborted);
    expect(await queue.isCancelled(requestId, neverAborted)).toBe(true);
    await queue.close();
    connection.disconnect();
  });

  test("a full Redis is trouble from its first refusal to the first write that it takes, and its words are said once", async () => {
    await using own = new TestRedis(binary ?? "", await freePort());
    await own.start();
    const logger = new RecordingLogger();
    const connection = openRedis(own.url, { producer: true, logger });
    await new Promise((resolve) => connection.once("ready", resolve));
    const queue = new BullQueue({ redis: connection, cluster: "full", modelId: modelId("nano"), clock: systemClock });
    await connection.config("SET", "maxmemory", "1");
    const add = () => queue.add([jobOf(), jobOf()], neverAborted);
    await expect(add()).rejects.toMatchObject({ code: "unavailable", message: "the queue's Redis cannot be reached" });
    await expect(add()).rejects.toMatchObject({ code: "unavailable" });
    expect(connection.trouble).toMatch(/refuses writes: OOM /);
    await connection.config("SET", "maxmemory", "0");
    await expect.poll(() => connection.trouble).toBeUndefined();
    await add();
    expect(logger.lines.map(({ event, fields }) => [event, fields.reason])).toEqual([
      ["redis.refuses", expect.stringMatching(/^OOM command not allowed/)],
      ["redis.accepts", undefined],
    ]);
    await queue.close();
    connection.disconnect();
  });

  test("a password that is missing, or wrong, is said in Redis's own words, and the password in none", async () => {
    await using own = new TestRedis(binary ?? "", await freePort(), "127.0.0.1", "correct-horse");
    await own.start();
    for (const [url, reason] of [
      [`redis://127.0.0.1:${own.port}`, /^NOAUTH /],
      [`redis://:wrong-horse@127.0.0.1:${own.port}`, /^WRONGPASS /],
    ] as const) {
      const logger = new RecordingLogger();
      const connection = openRedis(url, { producer: true, logger });
      await expect.poll(() => logger.lines[0]?.fields.reason).toMatch(reason);
      expect(JSON.stringify(logger.lines)).not.toMatch(/horse/);
      connection.disconnect();
    }
  });

  test("what Redis has lost, and what has left the queue, is missing; what waits or is taken is not", async () => {
    await using own = new TestRedis(binary ?? "", await freePort());
    await own.start();
    const [connection, consumer] = [openRedis(own.url, { producer: true }), openRedis(own.url, { producer: false })];
    await new Promise((resolve) => connection.once("ready", resolve));
    const options = { redis: connection, consumer, cluster: "lost", modelId: modelId("nano"), clock: systemClock };
    const queue = new BullQueue(options);
    const [taken, waiting, long] = [jobOf(), jobOf(), jobOf({ lane: "long" })];
    const jobs = [taken, waiting, long];
    const missing = async () => (await queue.missing(jobs, neverAborted)).map(({ requestId }) => requestId);
    expect(await missing()).toEqual(jobs.map(({ requestId }) => requestId));
    await queue.add(jobs, neverAborted);
    const lease = await queue.take("short", neverAborted);
    expect(await missing()).toEqual([]);
    await lease?.complete(neverAborted);
    expect(await missing()).toEqual([taken.requestId]);
    await connection.flushall();
    expect(await missing()).toEqual(jobs.map(({ requestId }) => requestId));
    // The same attempt and a newer one can be added again, and are delivered.
    await queue.add([waiting, { ...long, attemptBase: ATTEMPT_STRIDE }], neverAborted);
    expect((await queue.take("short", neverAborted))?.job.requestId).toBe(waiting.requestId);
    expect((await queue.take("long", neverAborted))?.attempt).toBe(ATTEMPT_STRIDE);
    await own.stop();
    await expect(queue.missing(jobs, neverAborted)).rejects.toMatchObject({ code: "unavailable" });
    await queue.close();
    for (const one of [connection, consumer]) one.disconnect();
  });

  test("a cancel holds as long as its job may live", async () => {
    const connection = openRedis(redis.url, { producer: true });
    await new Promise((resolve) => connection.once("ready", resolve));
    const queue = new BullQueue({ redis: connection, cluster: "long", modelId: modelId("nano"), clock: systemClock });
    const { requestId } = jobOf();
    const livesMs = 15 * 3_600_000;
    await queue.cancel([requestId], neverAborted, livesMs);
    const [key = ""] = await connection.keys(`*${requestId}*`);
    expect(await connection.pttl(key)).toBeGreaterThan(livesMs - 60_000);
    await queue.close();
    connection.disconnect();
  });

  test("an add fails at once while Redis is away, and works again once it is back", async () => {
    await using own = new TestRedis(binary ?? "", await freePort());
    await own.start();
    const connection = openRedis(own.url, { producer: true });
    await new Promise((resolve) => connection.once("ready", resolve));
    const queue = new BullQueue({ redis: connection, cluster: "away", modelId: modelId("nano"), clock: systemClock });
    await queue.add([jobOf()], neverAborted);
    await own.stop();
    await expect(queue.add([jobOf()], neverAborted)).rejects.toMatchObject({ code: "unavailable" });
    await own.start();
    if (connection.status !== "ready") await new Promise((resolve) => connection.once("ready", resolve));
    await queue.add([jobOf()], neverAborted);
    await queue.close();
    connection.disconnect();
  });
});
