import { randomUUID } from "node:crypto";
import {
  ATTEMPT_STRIDE,
  modelId,
  neverAborted,
  type PayloadStore,
  type QueueConsumer,
  type QueueJob,
  type QueueProducer,
  requestId,
  routerId,
} from "@drover/core";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

export type QueueUnderTest = Readonly<{
  producer: QueueProducer;
  consumer: QueueConsumer;
  payloads: PayloadStore;
  close: () => Promise<void>;
}>;

/** A valid job; fields can be given. */
export function jobOf(fields: Partial<QueueJob> = {}): QueueJob {
  return {
    requestId: requestId(randomUUID()),
    modelId: modelId("nano"),
    routerId: routerId("router-1"),
    lane: "short",
    front: false,
    attemptBase: 0,
    deadlineMs: Date.now() + 60_000,
    enqueuedAtMs: Date.now(),
    promptTokenCount: 3,
    newTokenCountMax: 5,
    choiceCount: 1,
    blockHashes: Uint8Array.from({ length: 32 }, (_, i) => i),
    payload: { kind: "inline", bytes: Uint8Array.of(1, 2, 3) },
    ...fields,
  };
}

/** The laws that every queue obeys. */
export function queueConformance(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(name, () => {
    let queue: QueueUnderTest | undefined;
    const parts = async () => {
      queue ??= await open();
      return queue;
    };
    beforeEach(async () => {
      await queue?.close();
      queue = await open();
    });
    afterAll(() => queue?.close());

    const add = async (...jobs: QueueJob[]) => (await parts()).producer.add(jobs, neverAborted);
    const take = async () => (await parts()).consumer.take("short", neverAborted);

    test("a job comes out as it went in, once", async () => {
      const job = jobOf();
      await add(job);
      const lease = await take();
      expect(lease?.job.requestId).toBe(job.requestId);
      const payload = lease?.job.payload;
      expect(payload?.kind === "inline" ? [...payload.bytes] : undefined).toEqual([1, 2, 3]);
      expect([...(lease?.job.blockHashes ?? [])]).toEqual([...job.blockHashes]);
      expect(lease?.attempt).toBe(0);
      expect(await take()).toBeUndefined();
      await lease?.complete(neverAborted);
      expect(await take()).toBeUndefined();
    });

    test("a tenant that floods waits behind itself, by its weight, and a lower priority behind all others", async () => {
      const tenant = (name: string, weight = 1, priority: "normal" | "low" = "normal") =>
        jobOf({ tenant: { name, weight, priority, cacheSalt: "" } });
      const flood = Array.from({ length: 12 }, () => tenant("flood"));
      const light = [tenant("light"), tenant("light"), tenant("heavy", 2), tenant("heavy", 2), tenant("heavy", 2)];
      await add(tenant("idle", 1, "low"), ...flood);
      await add(...light);
      const order = [];
      for (let lease = await take(); lease !== undefined; lease = await take()) {
        order.push(lease.job.tenant?.name);
        await lease.complete(neverAborted);
      }
      expect(order).toHaveLength(18);
      expect(order.at(-1)).toBe("idle");
      // Two of the light one's and three of the heavy one's, beside as much of the flood as its part is.
      expect(order.lastIndexOf("light")).toBeLessThan(10);
      expect(order.lastIndexOf("heavy")).toBeLessThan(10);
      expect(order.slice(0, 10)).toContain("flood");
    });

    test("jobs come in the order of their adds, and those in front before the others", async () => {
      const [first, second, third, fourth] = [jobOf(), jobOf(), jobOf({ front: true }), jobOf({ front: true })];
      await add(first, second);
      await add(third, fourth);
      const order = [];
      for (let lease = await take(); lease !== undefined; lease = await take()) {
        order.push(lease.job.requestId);
        await lease.complete(neverAborted);
      }
      expect(order).toEqual([third.requestId, fourth.requestId, first.requestId, second.requestId]);
    });

    test("who asks for jobs that were added to the front gets no others, and what is given back comes behind them", async () => {
      const takeFront = async () => (await parts()).consumer.take("short", neverAborted, "front");
      const [first, second] = [jobOf(), jobOf()];
      const again = [jobOf({ front: true }), jobOf({ front: true })] as const;
      await add(first, second);
      expect(await takeFront()).toBeUndefined();
      const held = await take();
      await add(...again);
      await held?.release(neverAborted);
      const taken = [await takeFront(), await takeFront()];
      expect(taken.map((lease) => lease?.job.requestId)).toEqual(again.map(({ requestId }) => requestId));
      expect(await takeFront()).toBeUndefined();
      await taken[1]?.release(neverAborted);
      const order = [];
      for (let lease = await take(); lease !== undefined; lease = await take()) {
        order.push(lease.job.requestId);
        await lease.complete(neverAborted);
      }
      expect(order).toEqual([again[1].requestId, first.requestId, second.requestId]);
      await taken[0]?.complete(neverAborted);
    });

    test("a released job comes first again, and its attempt never falls", async () => {
      const [first, second] = [jobOf(), jobOf()];
      await add(first, second);
      const lease = await take();
      await lease?.release(neverAborted);
      const again = await take();
      expect(again?.job.requestId).toBe(first.requestId);
      expect(again?.attempt).toBeGreaterThanOrEqual(0);
      await again?.complete(neverAborted);
    });

    test("a job that is given back after it may have been accepted has a newer attempt at its next delivery", async () => {
      await add(jobOf());
      await (await take())?.release(neverAborted, "spent");
      const again = await take();
      expect(again?.attempt).toBe(1);
      await again?.complete(neverAborted);
    });

    test("a job that comes for a taker who has left is there for the next one", async () => {
      const job = jobOf();
      await add(job);
      const leaving = new AbortController();
      const taking = (await parts()).consumer.take("short", leaving.signal);
      leaving.abort();
      // It was too late, or there is nothing to give back.
      await taking.then(
        (lease) => lease?.release(neverAborted),
        () => undefined,
      );
      await expect.poll(async () => (await take())?.job.requestId).toBe(job.requestId);
    });

    test("a repeated add is ignored, and a re-add with a higher attempt is delivered", async () => {
      const job = jobOf();
      await add(job);
      await add(job);
      await (await take())?.complete(neverAborted);
      expect(await take()).toBeUndefined();
      await add({ ...job, attemptBase: ATTEMPT_STRIDE, front: true });
      const again = await take();
      expect(again?.attempt).toBe(ATTEMPT_STRIDE);
      await again?.complete(neverAborted);
    });

    test("cancelled and expired jobs are never delivered", async () => {
      const { producer, consumer } = await parts();
      const [cancelled, expired, alive] = [jobOf(), jobOf({ deadlineMs: Date.now() - 1 }), jobOf()];
      await add(cancelled, expired, alive);
      await producer.cancel([cancelled.requestId], neverAborted);
      expect(await consumer.isCancelled(cancelled.requestId, neverAborted)).toBe(true);
      expect(await consumer.isCancelled(alive.requestId, neverAborted)).toBe(false);
      const lease = await take();
      expect(lease?.job.requestId).toBe(alive.requestId);
      await lease?.complete(neverAborted);
      expect(await take()).toBeUndefined();
    });

    test("lanes do not mix, and the depth counts what waits", async () => {
      const { consumer } = await parts();
      await add(jobOf(), jobOf(), jobOf({ lane: "long" }));
      const depth = await consumer.depth(neverAborted);
      expect(depth.map(({ lane, waitingCount }) => [lane, waitingCount])).toEqual([
        ["short", 2],
        ["long", 1],
      ]);
      expect(depth[0]?.oldestEnqueuedAtMs).toBeGreaterThan(0);
      const long = await consumer.take("long", neverAborted);
      expect(long?.job.lane).toBe("long");
      await long?.complete(neverAborted);
    });

    test("a router's jobs can be dropped, and no one else's", async () => {
      const { consumer } = await parts();
      await add(jobOf(), jobOf({ routerId: routerId("router-2") }), jobOf());
      expect(await consumer.dropRouter(routerId("router-1"), neverAborted)).toBe(2);
      const lease = await take();
      expect(lease?.job.routerId).toBe("router-2");
      await lease?.complete(neverAborted);
    });

    test("an add is announced to listeners", async () => {
      const { consumer } = await parts();
      const announced = new Promise<void>((resolve) => {
        const remove = consumer.onAvailable(() => {
          remove();
          resolve();
        });
      });
      await add(jobOf());
      await announced;
    });

    test("a payload is there until it is deleted", async () => {
      const { payloads } = await parts();
      const key = randomUUID();
      await payloads.put(key, Uint8Array.of(7, 8), 60_000, neverAborted);
      expect([...((await payloads.get(key, neverAborted)) ?? [])]).toEqual([7, 8]);
      await payloads.delete([key], neverAborted);
      expect(await payloads.get(key, neverAborted)).toBeUndefined();
    });

    test("of puts under one condition, one is taken", async () => {
      const { payloads } = await parts();
      const [key, guard, absent] = [randomUUID(), randomUUID(), randomUUID()];
      const claim = (value: number, from: Uint8Array | undefined) =>
        payloads.putIf(guard, Uint8Array.of(value), 60_000, { key: guard, bytes: from }, neverAborted);
      const claims = await Promise.all([1, 2, 3].map((value) => claim(value, undefined)));
      expect(claims.filter(Boolean)).toHaveLength(1);
      const held = await payloads.get(guard, neverAborted);
      expect(held).toHaveLength(1);
      expect(await claim(4, Uint8Array.of(9))).toBe(false);
      expect(await claim(4, held)).toBe(true);
      const put = (condition: { key: string; bytes: Uint8Array | undefined }) =>
        payloads.putIf(key, Uint8Array.of(7, 255, 0), 60_000, condition, neverAborted);
      expect(await put({ key: guard, bytes: held })).toBe(false);
      expect(await put({ key: guard, bytes: undefined })).toBe(false);
      expect(await payloads.get(key, neverAborted)).toBeUndefined();
      expect(await put({ key: guard, bytes: Uint8Array.of(4) })).toBe(true);
      expect([...((await payloads.get(key, neverAborted)) ?? [])]).toEqual([7, 255, 0]);
      expect(await put({ key: absent, bytes: undefined })).toBe(true);
    });
  });
}
