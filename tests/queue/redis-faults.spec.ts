import { randomUUID } from "node:crypto";
import { modelId, neverAborted, type QueueJob, systemClock, withTimeout } from "@drover/core";
import { BullQueue, openRedis, RedisLease } from "@drover/queue";
import { freePort, type ProxyMode, redisBinary, TcpProxy, TestRedis } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { jobOf } from "./queue-conformance.ts";

const binary = redisBinary();
const HEALS = { interval: 200 };
const GIVEN_UP = { ms: 500, message: "given up" };

/** A Redis behind a proxy, with all that a router and a scheduler open to it. */
class Bed implements AsyncDisposable {
  readonly server: TestRedis;
  readonly proxy: TcpProxy;
  readonly producer: BullQueue;
  readonly consumer: BullQueue;
  readonly lease: RedisLease;
  readonly #resources: AsyncDisposableStack;

  private constructor(server: TestRedis, proxy: TcpProxy, resources: AsyncDisposableStack) {
    this.server = server;
    this.proxy = proxy;
    this.#resources = resources;
    const cluster = randomUUID();
    const open = (producer: boolean) => {
      const redis = openRedis(`redis://127.0.0.1:${proxy.port}`, { producer });
      resources.defer(() => redis.disconnect());
      return redis;
    };
    const shared = { cluster, modelId: modelId("nano"), clock: systemClock };
    this.producer = new BullQueue({ ...shared, redis: open(true) });
    this.consumer = new BullQueue({ ...shared, redis: open(true), consumer: open(false) });
    this.lease = new RedisLease(open(true), { cluster, modelId: "nano", address: "a:1", clock: systemClock });
    for (const queue of [this.producer, this.consumer]) resources.defer(() => queue.close());
  }

  static async start(): Promise<Bed> {
    const resources = new AsyncDisposableStack();
    const server = resources.use(new TestRedis(binary ?? "", await freePort()));
    await server.start();
    const bed = new Bed(server, resources.use(await TcpProxy.listen(server.port)), resources);
    await expect.poll(() => bed.adds(), HEALS).toBe(true);
    return bed;
  }

  /** Whether a job can be added now, as routers do it: with a limit. */
  adds(job: QueueJob = jobOf()): Promise<boolean> {
    return withTimeout(GIVEN_UP, systemClock, neverAborted, (signal) => this.producer.add([job], signal)).then(
      () => true,
      () => false,
    );
  }

  /** Ids of all that can be taken, each completed. */
  async drain(): Promise<string[]> {
    const ids: string[] = [];
    for (;;) {
      const lease = await this.consumer.take("short", neverAborted);
      if (lease === undefined) return ids;
      ids.push(lease.job.requestId);
      await lease.complete(neverAborted);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.mode = "passes";
    this.server.signal("SIGCONT");
    await this.#resources.disposeAsync();
  }
}

/** What of its lease a leader has left when it renews it, at least. */
const LEASE_MS = 2000;

/** The longest time in which this process did not come to run. */
class Pauses implements Disposable {
  longestMs = 0;
  #lastMs = systemClock.monotonic();
  readonly #watch = setInterval(() => {
    const nowMs = systemClock.monotonic();
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }, 50);

  [Symbol.dispose](): void {
    clearInterval(this.#watch);
  }
}

describe.skipIf(binary === undefined)("a Redis that does not answer as it should (needs Redis)", () => {
  test("that takes 300 ms for each command serves, and its leader keeps the lease", async () => {
    await using bed = await Bed.start();
    await bed.drain();
    bed.proxy.delayMs = 300;
    // A lease that is lost while this process did not run for half of its time says nothing about Redis.
    for (let isOnTime = false; !isOnTime; ) {
      using pauses = new Pauses();
      const grant = await bed.lease.acquire(neverAborted);
      const [job, cancelled] = [jobOf(), jobOf()];
      await bed.producer.add([job, cancelled], neverAborted);
      await bed.producer.cancel([cancelled.requestId], neverAborted);
      expect(await bed.drain()).toEqual([job.requestId]);
      isOnTime = pauses.longestMs < LEASE_MS / 2;
      if (isOnTime) expect(grant.lost.aborted).toBe(false);
      await grant.release();
    }
  });

  test.each(["swallows-requests", "swallows-replies"] as const)(
    "that is cut off in one direction is left for one that can be reached, and led anew: %s",
    async (mode: ProxyMode) => {
      await using bed = await Bed.start();
      const grant = await bed.lease.acquire(neverAborted);
      const lost = new Promise<void>((resolve) => grant.lost.addEventListener("abort", () => resolve()));
      bed.proxy.mode = mode;
      expect(await bed.adds()).toBe(false);
      await lost;
      // The connections that stand stay cut; the new ones are whole.
      bed.proxy.mode = "passes";
      await expect.poll(() => bed.adds(), HEALS).toBe(true);
      const next = await bed.lease.acquire(neverAborted);
      expect(next.epoch).toBeGreaterThan(grant.epoch);
      expect((await bed.drain()).length).toBeGreaterThan(0);
      await next.release();
    },
  );

  test("that is restarted has what it had on disk, and of the rest it is known that it is lost", async () => {
    await using bed = await Bed.start();
    await bed.drain();
    const [kept, lost] = [jobOf(), jobOf()];
    await expect.poll(() => bed.adds(kept), HEALS).toBe(true);
    const control = openRedis(bed.server.url, { producer: false });
    // From now on nothing is written to disk.
    await control.config("SET", "appendonly", "no");
    control.disconnect();
    await expect.poll(() => bed.adds(lost), HEALS).toBe(true);
    await bed.server.stop();
    expect(await bed.adds()).toBe(false);
    await bed.server.start();
    const missing = () =>
      bed.producer.missing([kept, lost], neverAborted).then(
        (jobs) => jobs.map(({ requestId }) => requestId),
        () => undefined,
      );
    await expect.poll(missing, HEALS).toEqual([lost.requestId]);
    await expect.poll(() => bed.adds(lost), HEALS).toBe(true);
    const taken = new Set<string>();
    const takes = async () => {
      for (const id of await bed.drain().catch(() => [])) taken.add(id);
      return [kept, lost].every(({ requestId }) => taken.has(requestId));
    };
    await expect.poll(takes, HEALS).toBe(true);
  });

  test("that is frozen delivers nothing of what was given up and cancelled once it wakes", async () => {
    await using bed = await Bed.start();
    await bed.drain();
    bed.server.signal("SIGSTOP");
    const jobs = [jobOf(), jobOf(), jobOf()];
    expect(await Promise.all(jobs.map((job) => bed.adds(job)))).toEqual([false, false, false]);
    const cancelling = bed.producer.cancel(
      jobs.map(({ requestId }) => requestId),
      neverAborted,
    );
    bed.server.signal("SIGCONT");
    await cancelling;
    const fresh = jobOf();
    await expect.poll(() => bed.adds(fresh), HEALS).toBe(true);
    expect(await bed.drain()).toEqual([fresh.requestId]);
  });

  test("a scheduler whose lock was lost changes nothing of the job that another one has", async () => {
    await using bed = await Bed.start();
    await bed.drain();
    const job = jobOf();
    await bed.adds(job);
    const lease = await bed.consumer.take("short", neverAborted);
    const control = openRedis(bed.server.url, { producer: false });
    const [lock = ""] = await control.keys(`*${job.requestId}*:lock`);
    await control.set(lock, "another's");
    await expect(lease?.complete(neverAborted)).rejects.toMatchObject({ code: "unavailable" });
    expect(await control.hget(lock.slice(0, -":lock".length), "data")).toMatch(/"job":"[^"]+"/);
    expect(await bed.consumer.missing([job], neverAborted)).toEqual([]);
    control.disconnect();
  });
});
