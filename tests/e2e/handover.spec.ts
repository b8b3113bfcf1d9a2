import { once } from "node:events";
import { join } from "node:path";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { knownAnswers, type Post, StreamTally, streamAnswer } from "./known-stream.ts";
import { ProcessGroup } from "./process-group.ts";
import { ROOT } from "./test-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

const MODEL = join(ROOT, "models/nano");
const STREAMS = 4;

/** When a process logged an event for the first time, Unix milliseconds. */
function loggedAtMs(output: string, event: string): number {
  const line = output.split("\n").find((one) => one.includes(`"event":"${event}"`));
  return line === undefined ? Number.NaN : Date.parse((JSON.parse(line) as { time: string }).time);
}

describe.skipIf(binary === undefined)("a scheduler that ends in order (needs Redis)", () => {
  test("is followed by the one that stands by, and no stream notices", async () => {
    await using redis = new TestRedis(binary ?? "", await freePort());
    await redis.start();
    await using group = new ProcessGroup();
    const queue = redis.url;
    const scheduler = () => group.start("scheduler", { flags: { "model-name": "nano", queue, "grpc-port": 0 } });
    const leader = scheduler();
    const first = await leader.listening;
    await expect.poll(() => leader.output).toContain("leadership.gained");
    const standby = scheduler();
    const second = await standby.listening;
    for (const { admin } of [first, second])
      await expect.poll(async () => (await fetch(`http://${admin}/readyz`)).status).toBe(200);
    const common = { model: MODEL, scheduler: `${first.grpc},${second.grpc}` };
    const roles = "attention,experts";
    group.start("worker", { flags: { ...common, roles, "worker-id": "a", "drain-delay": "0s", "drain-grace": "0s" } });
    const flags = { ...common, queue, "http-port": 0, "grpc-port": 0, "drain-delay": "0s", "drain-grace": "0s" };
    const router = group.start("router", { flags });
    const { http } = await router.listening;
    await router.ready;
    const post: Post = (path, body) =>
      fetch(`http://${http}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const answers = await knownAnswers(post);
    const tally = new StreamTally();
    let over = false;
    const client = async (turn: number) => {
      for (let next = turn; !over; next++) {
        const answer = answers[next % answers.length];
        if (answer !== undefined) tally.note(answer, await streamAnswer(post, answer.prompt));
      }
    };
    const clients = Array.from({ length: STREAMS }, (_, turn) => client(turn));
    const askedAtMs = Date.now();
    leader.child.kill("SIGTERM");
    expect(await once(leader.child, "exit")).toEqual([0, null]);
    await expect.poll(() => standby.output).toContain("cluster.serving");
    const [leads, serves] = ["leadership.gained", "cluster.serving"].map(
      (event) => loggedAtMs(standby.output, event) - askedAtMs,
    );
    const before = tally.right;
    await expect.poll(() => tally.right).toBeGreaterThan(before + STREAMS);
    over = true;
    await Promise.all(clients);
    console.log(`the next scheduler led ${leads} ms after SIGTERM, and had its fleet after ${serves} ms`);
    expect(tally.violations, group.output).toEqual([]);
    expect([...tally.errors], group.output).toEqual([]);
  });
});
