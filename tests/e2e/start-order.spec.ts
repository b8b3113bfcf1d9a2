import { setTimeout as sleep } from "node:timers/promises";
import { redisBinary } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { NamedCluster, type Part } from "./named-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

/** Each part that listens waits at least this long for the next one: longer than its first attempts. */
const APART_MS = 700;

const ORDERS: readonly (readonly Part[])[] = [
  ["experts", "attention", "router", "scheduler", "redis"],
  ["scheduler", "router", "redis", "attention", "experts"],
];

describe.skipIf(binary === undefined)("processes that find each other by name (needs Redis)", () => {
  test.each(ORDERS.map((order) => [order.join(", "), order] as const))(
    "serve when they start in the order %s",
    async (_, order) => {
      await using cluster = await NamedCluster.create(binary ?? "");
      for (const part of order) {
        await cluster.start(part);
        await sleep(APART_MS);
      }
      await cluster.serves();
      // Why it waits is said once, not at every attempt.
      const reasons = cluster.output.split("\n").flatMap((line) => {
        if (!/"event":"(redis|scheduler|watch)\.waiting"/.test(line)) return [];
        const { pid, event, reason } = JSON.parse(line) as Record<string, unknown>;
        return [`${pid} ${event} ${reason}`];
      });
      expect(reasons.length).toBeGreaterThan(0);
      expect(new Set(reasons).size, reasons.join("\n")).toBe(reasons.length);
    },
  );

  test("serve again when the scheduler and then Redis have moved to other addresses", async () => {
    await using cluster = await NamedCluster.create(binary ?? "");
    for (const part of ["redis", "scheduler", "experts", "attention", "router"] as const) await cluster.start(part);
    await cluster.serves();
    for (const part of ["scheduler", "redis"] as const) {
      await cluster.kill(part);
      await cluster.start(part, "127.0.0.3");
      await cluster.serves();
    }
  });
});
