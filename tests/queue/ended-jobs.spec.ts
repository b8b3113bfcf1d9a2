import { randomUUID } from "node:crypto";
import { modelId, neverAborted, type QueueJob, systemClock } from "@drover/core";
import { BullQueue, openRedis } from "@drover/queue";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobOf } from "./queue-conformance.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("the queue's tests need redis-server or valkey-server");

const PROMPT = Buffer.from("what nobody else shall read ".repeat(8));

/** Whether the prompt is in a text, in base64 from whatever byte on. */
const readable = (text: string) =>
  [0, 1, 2].some((shift) =>
    text.includes(
      Buffer.concat([Buffer.alloc(shift), PROMPT])
        .toString("base64")
        .slice(8, 60),
    ),
  );

describe.skipIf(binary === undefined)("what Redis has of a request that is over", async () => {
  const server = new TestRedis(binary ?? "", await freePort());
  beforeAll(() => server.start());
  afterAll(() => server[Symbol.asyncDispose]());

  test.each([
    ["placed", { deadlineMs: Date.now() + 60_000 }, true],
    ["too late", { deadlineMs: 1 }, false],
    ["cancelled", { deadlineMs: Date.now() + 60_000 }, false],
  ])("is its name, and nothing of what it asked: %s", async (how, fields: Partial<QueueJob>, isTaken) => {
    const redis = openRedis(server.url, { producer: true });
    const consumer = openRedis(server.url, { producer: false });
    if (redis.status !== "ready") await new Promise((resolve) => redis.once("ready", resolve));
    const queue = new BullQueue({
      redis,
      consumer,
      cluster: randomUUID(),
      modelId: modelId("nano"),
      clock: systemClock,
    });
    const stored = async () => {
      const values = await Promise.all(
        (await redis.keys("*")).map(async (key) =>
          (await redis.type(key)) === "hash" ? JSON.stringify(await redis.hgetall(key)) : "",
        ),
      );
      return values.join("\n");
    };
    const job = jobOf({ payload: { kind: "inline", bytes: PROMPT }, ...fields });
    await queue.add([job], neverAborted);
    expect(readable(await stored())).toBe(true);
    if (how === "cancelled") await queue.cancel([job.requestId], neverAborted);
    const lease = await queue.take("short", neverAborted);
    expect(lease !== undefined).toBe(isTaken);
    await lease?.complete(neverAborted);
    const left = await stored();
    expect(readable(left)).toBe(false);
    // An add that comes once more is still known.
    await queue.add([job], neverAborted);
    expect(await queue.take("short", neverAborted)).toBeUndefined();
    await queue.close();
    redis.disconnect();
    consumer.disconnect();
  });
});
