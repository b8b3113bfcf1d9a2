import { setTimeout as sleep } from "node:timers/promises";
import { openRedis, type QueueRedis } from "@drover/queue";
import { freePort, redisBinary, TcpProxy, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knownAnswers } from "./kill-under-load.ts";
import type { KnownAnswer } from "./known-stream.ts";
import { streamAnswer } from "./known-stream.ts";
import { TestCluster } from "./test-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

/** As many as wait for a worker at once, and are in the queue when it happens. */
const BURST = 60;
const FREEZE_MS = 12_000;

describe.skipIf(binary === undefined)("what Redis does to a cluster under load (needs Redis)", async () => {
  const resources = new AsyncDisposableStack();
  const servers = [
    new TestRedis(binary ?? "", await freePort()),
    new TestRedis(binary ?? "", await freePort()),
  ] as const;
  const [first, second] = servers;
  let cluster: TestCluster;
  let proxy: TcpProxy;
  let answers: readonly KnownAnswer[];
  let controls: readonly [QueueRedis, QueueRedis];

  beforeAll(async () => {
    for (const server of servers) await resources.use(server).start();
    const control = ({ url }: TestRedis) => openRedis(url, { producer: false, anyRole: true });
    controls = [control(first), control(second)];
    for (const one of controls) resources.defer(() => one.disconnect());
    proxy = resources.use(await TcpProxy.listen(first.port));
    const queue = `redis://127.0.0.1:${proxy.port}`;
    cluster = resources.use(await TestCluster.start({ queue, expertWorkers: 1, flags: ["--verbose"] }));
    answers = await knownAnswers(cluster);
  });
  afterAll(() => resources.disposeAsync(), 30_000);

  const ask = (i: number) => streamAnswer(cluster.post.bind(cluster), answers[i % answers.length]?.prompt ?? "");
  const burst = () => Array.from({ length: BURST }, (_, i) => ask(i));
  const expectRight = async (replies: readonly ReturnType<typeof ask>[]) => {
    for (const [i, { text, end }] of (await Promise.all(replies)).entries())
      expect([end, text], cluster.output).toEqual(["done", answers[i % answers.length]?.text]);
  };
  const healed = () => expect.poll(async () => (await ask(0)).end).toBe("done");

  test("that forgets everything while requests wait: every one of them is answered", async () => {
    const replies = burst();
    await expect.poll(() => controls[0].dbsize()).toBeGreaterThan(BURST / 2);
    await controls[0].flushall();
    await expectRight(replies);
  });

  test("that is frozen for a while: none is answered wrongly or never, and new ones are served at once", async () => {
    const replies = burst();
    first.signal("SIGSTOP");
    const later = Array.from({ length: 8 }, (_, i) => ask(i));
    await sleep(FREEZE_MS);
    first.signal("SIGCONT");
    for (const [i, { text, end }] of (await Promise.all([...replies, ...later])).entries()) {
      expect(end).toMatch(/^(done|503 unavailable)$/);
      expect((answers[(i < BURST ? i : i - BURST) % answers.length]?.text ?? "").startsWith(text)).toBe(true);
    }
    await healed();
    await expectRight(burst());
  });

  test("whose roles change behind its name: served again without a restart", async () => {
    const [primary, replica] = controls;
    await replica.call("REPLICAOF", "127.0.0.1", String(first.port));
    await expect.poll(() => primary.info("replication")).toMatch(/state=online/);
    await replica.call("REPLICAOF", "NO", "ONE");
    await primary.call("REPLICAOF", "127.0.0.1", String(second.port));
    proxy.target = second.port;
    await healed();
    await expectRight(burst());
    expect(cluster.output).toMatch(/READONLY/);
  });
});
