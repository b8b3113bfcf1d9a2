import { randomUUID } from "node:crypto";
import { modelId, neverAborted, systemClock } from "@drover/core";
import { BullQueue, openRedis, type QueueRedis, RedisLease } from "@drover/queue";
import { freePort, RecordingLogger, redisBinary, TestRedis, TestSentinel } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { jobOf } from "./queue-conformance.ts";

const binary = redisBinary();
const HEALS = { interval: 100 };
const NAME = "queue";
const REDIS_PASSWORD = "of Redis, with signs: @/:?";
const SENTINEL_PASSWORD = "of sentinels";

/** A primary and a replica, watched by three sentinels, all with passwords. */
class Watched implements AsyncDisposable {
  readonly logger = new RecordingLogger();
  readonly servers: readonly [TestRedis, TestRedis];
  readonly sentinels: readonly TestSentinel[];
  readonly #resources = new AsyncDisposableStack();

  private constructor(servers: readonly [TestRedis, TestRedis], sentinels: readonly TestSentinel[]) {
    this.servers = servers;
    this.sentinels = sentinels;
    for (const one of [...servers, ...sentinels]) this.#resources.use(one);
  }

  static async start(): Promise<Watched> {
    const server = async () => new TestRedis(binary ?? "", await freePort(), "127.0.0.1", REDIS_PASSWORD);
    const [primary, replica] = [await server(), await server()];
    await Promise.all([primary.start(), replica.start()]);
    const control = openRedis(replica.url, { producer: false, anyRole: true });
    await control.config("SET", "masterauth", REDIS_PASSWORD);
    await control.call("REPLICAOF", "127.0.0.1", String(primary.port));
    await expect.poll(() => control.info("replication"), HEALS).toMatch(/master_link_status:up/);
    control.disconnect();
    const watched = { name: NAME, port: primary.port, password: REDIS_PASSWORD };
    const sentinels = await Promise.all(
      [1, 2, 3].map(async () => new TestSentinel(binary ?? "", await freePort(), watched, SENTINEL_PASSWORD)),
    );
    await Promise.all(sentinels.map((one) => one.start()));
    return new Watched([primary, replica], sentinels);
  }

  /** As users write it: one of the sentinels is never there. */
  async url(): Promise<string> {
    const hosts = [await freePort(), ...this.sentinels.map(({ port }) => port)].map((port) => `127.0.0.1:${port}`);
    const [mine, theirs] = [REDIS_PASSWORD, SENTINEL_PASSWORD].map(encodeURIComponent);
    return `redis+sentinel://:${mine}@${hosts.join(",")}/${NAME}?sentinel_password=${theirs}`;
  }

  /** Resolves once a majority of the sentinels knows the others and the replica, and could fail over. */
  async canFailOver(): Promise<void> {
    const controls = this.sentinels.map((one) => openRedis(one.url, { producer: false, anyRole: true }));
    for (const control of controls) {
      await expect
        .poll(async () => String(await control.call("SENTINEL", "CKQUORUM", NAME).catch(() => "")), HEALS)
        .toMatch(/^OK 3/);
      await expect
        .poll(async () => ((await control.call("SENTINEL", "REPLICAS", NAME)) as unknown[]).length, HEALS)
        .toBe(1);
    }
    for (const control of controls) control.disconnect();
  }

  open(url: string, producer: boolean): QueueRedis {
    const connection = openRedis(url, { producer, logger: this.logger });
    this.#resources.defer(() => connection.disconnect());
    return connection;
  }

  defer(close: () => Promise<void>): void {
    this.#resources.defer(close);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

describe.skipIf(binary === undefined)("a Redis that sentinels watch (needs Redis)", () => {
  test.each(["killed", "frozen"] as const)(
    "whose primary is %s is followed to the next one: what is added is taken, and the next leader has a newer epoch",
    async (how) => {
      await using watched = await Watched.start();
      await watched.canFailOver();
      const url = await watched.url();
      const options = { cluster: randomUUID(), modelId: modelId("nano"), clock: systemClock };
      const producer = new BullQueue({ ...options, redis: watched.open(url, true) });
      const scheduler = new BullQueue({
        ...options,
        redis: watched.open(url, true),
        consumer: watched.open(url, false),
      });
      for (const queue of [producer, scheduler]) watched.defer(() => queue.close());
      const lease = new RedisLease(watched.open(url, true), { ...options, address: "a:1" });
      const adds = async () => {
        const job = jobOf();
        return producer.add([job], neverAborted).then(
          () => job.requestId as string,
          () => undefined,
        );
      };
      await expect.poll(adds, HEALS).toBeDefined();
      const taken = new Set<string>();
      const takes = async () => {
        const one = await scheduler.take("short", neverAborted).catch(() => undefined);
        await one?.complete(neverAborted).catch(() => undefined);
        if (one !== undefined) taken.add(one.job.requestId);
        return taken;
      };
      await expect.poll(async () => (await takes()).size, HEALS).toBe(1);
      const grant = await lease.acquire(neverAborted);

      const [primary, replica] = watched.servers;
      if (how === "killed") await primary.stop();
      else primary.signal("SIGSTOP");
      const after = await new Promise<string>((resolve) => {
        const again = () => void adds().then((id) => (id === undefined ? setTimeout(again, 100) : resolve(id)));
        again();
      });
      await expect.poll(async () => (await takes()).has(after), HEALS).toBe(true);
      // A failover that is quicker than the lease leaves its holder: the replica had the lease too.
      if (!grant.lost.aborted) await grant.release();
      const next = await lease.acquire(neverAborted);
      expect(next.epoch).toBeGreaterThan(grant.epoch);
      const control = openRedis(replica.url, { producer: false, anyRole: true });
      expect(await control.info("replication")).toMatch(/role:master/);
      control.disconnect();
      const said = JSON.stringify(watched.logger.lines);
      for (const password of [REDIS_PASSWORD, SENTINEL_PASSWORD]) expect(said).not.toContain(password);
    },
  );

  test("says why it is waited for where no sentinel answers, and where none knows the name", async () => {
    await using watched = await Watched.start();
    const reasons = () =>
      watched.logger.lines.flatMap(({ event, fields }) => (event === "redis.waiting" ? [String(fields.reason)] : []));
    watched.open(`redis+sentinel://127.0.0.1:${await freePort()}/${NAME}`, true);
    await expect.poll(() => reasons().join("\n"), HEALS).toMatch(/failed to connect to sentinel 127.0.0.1:/);
    watched.open((await watched.url()).replace(`/${NAME}?`, "/nobody?"), true);
    await expect.poll(() => reasons().join("\n"), HEALS).toMatch(/No such master/);
    watched.open((await watched.url()).replace(/\?.*/, ""), true);
    await expect.poll(() => reasons().join("\n"), HEALS).toMatch(/NOAUTH/);
  });
});
