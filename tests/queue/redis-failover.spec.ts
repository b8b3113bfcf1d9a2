import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { modelId, neverAborted, systemClock } from "@drover/core";
import { BullQueue, openRedis, type QueueRedis, RedisLease, RedisPayloadStore } from "@drover/queue";
import { freePort, RecordingLogger, redisBinary, TcpProxy, TestRedis } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { jobOf } from "./queue-conformance.ts";

const binary = redisBinary();
const HEALS = { interval: 100 };

/** Two servers behind one name, and everything that Drover opens to it. */
class Pair implements AsyncDisposable {
  readonly logger = new RecordingLogger();
  readonly cluster = randomUUID();
  readonly #resources = new AsyncDisposableStack();
  readonly #servers: readonly [TestRedis, TestRedis];
  readonly #controls: readonly [QueueRedis, QueueRedis];
  readonly #proxy: TcpProxy;

  private constructor(servers: readonly [TestRedis, TestRedis], proxy: TcpProxy) {
    this.#servers = servers;
    this.#proxy = proxy;
    const control = ({ url }: TestRedis) => openRedis(url, { producer: false, anyRole: true });
    this.#controls = [control(servers[0]), control(servers[1])];
    this.#resources.use(proxy);
    for (const server of servers) this.#resources.use(server);
    for (const one of this.#controls) this.#resources.defer(() => one.disconnect());
  }

  static async start(): Promise<Pair> {
    const servers = [
      new TestRedis(binary ?? "", await freePort()),
      new TestRedis(binary ?? "", await freePort()),
    ] as const;
    for (const server of servers) await server.start();
    const pair = new Pair(servers, await TcpProxy.listen(servers[0].port));
    const [primary, replica] = pair.#controls;
    await replica.call("REPLICAOF", "127.0.0.1", String(servers[0].port));
    await expect.poll(() => primary.info("replication"), HEALS).toMatch(/state=online/);
    return pair;
  }

  open(producer: boolean): QueueRedis {
    const connection = openRedis(`redis://127.0.0.1:${this.#proxy.port}`, { producer, logger: this.logger });
    this.#resources.defer(() => connection.disconnect());
    return connection;
  }

  queue(consumer?: QueueRedis): BullQueue {
    const redis = this.open(true);
    const { cluster } = this;
    const options = { redis, cluster, modelId: modelId("nano"), clock: systemClock };
    const queue = new BullQueue(consumer === undefined ? options : { ...options, consumer });
    this.#resources.defer(() => queue.close());
    return queue;
  }

  lease(address: string): RedisLease {
    return new RedisLease(this.open(true), { cluster: this.cluster, modelId: "nano", address, clock: systemClock });
  }

  /** The roles change, and then the name leads to the new primary. No connection is closed. */
  async swap(): Promise<void> {
    const [first, second] = this.#controls;
    await second.call("REPLICAOF", "NO", "ONE");
    await first.call("REPLICAOF", "127.0.0.1", String(this.#servers[1].port));
    this.#proxy.target = this.#servers[1].port;
  }

  /** The same in agreement of both servers: nothing is lost, and writes wait meanwhile. */
  async failOver(): Promise<void> {
    const [first] = this.#controls;
    await first.call("FAILOVER");
    await expect.poll(() => first.info("replication"), HEALS).toMatch(/role:slave/);
    this.#proxy.target = this.#servers[1].port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

describe.skipIf(binary === undefined)("a Redis whose roles change behind one name (needs Redis)", () => {
  test.each(["swap", "failOver"] as const)("is written to and read again without a restart: %s", async (change) => {
    await using pair = await Pair.start();
    const [producer, scheduler] = [pair.queue(), pair.queue(pair.open(false))];
    const payloads = new RedisPayloadStore(pair.open(true), pair.cluster);
    const adds = async () => {
      const job = jobOf();
      return producer.add([job], neverAborted).then(
        () => job.requestId as string,
        () => undefined,
      );
    };
    await expect.poll(adds, HEALS).toBeDefined();
    await (await scheduler.take("short", neverAborted))?.complete(neverAborted);

    await pair[change]();
    const added: { id: string | undefined } = { id: undefined };
    await expect
      .poll(async () => {
        added.id = await adds();
        return added.id;
      }, HEALS)
      .toBeDefined();
    const takes = async () => {
      const lease = await scheduler.take("short", neverAborted).catch(() => undefined);
      await lease?.complete(neverAborted);
      return lease?.job.requestId;
    };
    await expect.poll(takes, HEALS).toBe(added.id);
    const stores = () =>
      payloads.put("key", Uint8Array.of(1), 60_000, neverAborted).then(
        () => payloads.get("key", neverAborted),
        () => undefined,
      );
    await expect.poll(stores, HEALS).toBeDefined();
    // Announcements come again too.
    const heard = Promise.withResolvers<void>();
    scheduler.onAvailable(() => heard.resolve());
    await adds();
    await heard.promise;
    const reasons = pair.logger.lines.flatMap(({ event, fields }) =>
      event === "redis.waiting" ? [String(fields.reason)] : [],
    );
    expect(reasons.some((reason) => reason.startsWith("READONLY "))).toBe(true);
  });

  test.each(["swap", "failOver"] as const)(
    "is led by one scheduler, of a newer epoch where it is another: %s",
    async (change) => {
      await using pair = await Pair.start();
      const leaders = new Set<string>();
      const epochs: bigint[] = [];
      const most = { count: 0 };
      const ended = new AbortController();
      const candidate = async (address: string) => {
        const lease = pair.lease(address);
        while (!ended.signal.aborted) {
          const grant = await lease.acquire(ended.signal);
          epochs.push(grant.epoch);
          // Both candidates share a loop, and it may be late: the other's time to stop is over, and it stops when its timer is looked at.
          await sleep(1);
          if (grant.lost.aborted) continue;
          leaders.add(address);
          most.count = Math.max(most.count, leaders.size);
          grant.lost.addEventListener("abort", () => leaders.delete(address), { once: true });
          await new Promise((resolve) => grant.lost.addEventListener("abort", resolve, { once: true }));
        }
      };
      for (const address of ["a:1", "b:2"]) void candidate(address).catch(() => undefined);
      await expect.poll(() => leaders.size, HEALS).toBe(1);
      await pair[change]();
      const reader = pair.lease("c:3");
      const known = () => reader.leaderAddress(neverAborted).catch(() => undefined);
      await expect.poll(known, HEALS).toMatch(/^[ab]:/);
      await expect.poll(async () => leaders.has(String(await known())), HEALS).toBe(true);
      // Roles that change without agreement lose renewals that the old primary took meanwhile: there epochs alone tell the newer leader.
      if (change === "failOver") expect(most.count).toBe(1);
      expect(epochs).toEqual(epochs.toSorted((a, b) => Number(a - b)));
      expect(new Set(epochs).size).toBe(epochs.length);
      ended.abort();
    },
  );
});
