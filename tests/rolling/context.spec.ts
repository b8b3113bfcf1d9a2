import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProcessGroup } from "../e2e/process-group.ts";
import { ROOT } from "../e2e/test-cluster.ts";
import { logged } from "./rolling-restart.ts";

const MODEL = join(ROOT, "models/nano");
const PROMPT = Array.from({ length: 8000 }, (_, i) => (i * 7919) % 3000);

test("a context worker that drains is rid of what it holds, gets nothing new, and ends by itself", async () => {
  await using group = new ProcessGroup();
  const scheduler = group.start("scheduler", { flags: { "model-name": "nano", "grpc-port": 0 } });
  const { grpc = "" } = await scheduler.listening;
  const common = { model: MODEL, scheduler: grpc, "drain-delay": "0s" };
  const worker = (id: string, roles: string, flags: Record<string, string | number>) =>
    group.start("worker", { flags: { ...common, "worker-id": id, roles, ...flags } });
  const contexts = ["context-0", "context-1"].map((id) => worker(id, "context", { "drain-grace": "120s" }));
  const stripes = { "stripe-above": 1000, "prefix-cache": "off", "drain-grace": "0s" };
  const attention = worker("attention-0", "attention,experts", stripes);
  const flags = { ...common, "drain-grace": "0s", "http-port": 0, "grpc-port": 0 };
  const router = group.start("router", { flags });
  const { http } = await router.listening;
  await router.ready;
  for (const one of [...contexts, attention]) {
    const { admin } = await one.listening;
    await expect.poll(async () => (await fetch(`http://${admin}/readyz`)).status).toBe(200);
  }
  const answer = async () => {
    const response = await fetch(`http://${http}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "nano", prompt: PROMPT, max_tokens: 12, temperature: 0, ignore_eos: true }),
    });
    return ((await response.json()) as { choices: { text: string }[] }).choices[0]?.text;
  };
  const [, draining] = contexts;
  if (draining === undefined) throw new Error("there are two context workers");
  const { admin } = await draining.listening;
  /** What the worker holds; 0 once it has ended. */
  const segments = () =>
    fetch(`http://${admin}/debug/worker`).then(
      async (response) => ((await response.json()) as { context: { segmentCount: number } }).context.segmentCount,
      () => 0,
    );
  /** The most that it held until the answer was there. */
  const most = async (work: Promise<unknown>): Promise<number> => {
    let [over, count] = [false, 0];
    const watched = work.finally(() => {
      over = true;
    });
    while (!over) {
      count = Math.max(count, await segments());
      await sleep(5);
    }
    await watched;
    return count;
  };
  const first = answer();
  const undrained = await most(first);
  const expected = await first;
  const again = answer();
  while ((await segments()) === 0) await sleep(5);
  const exit = once(draining.child, "exit");
  draining.child.kill("SIGTERM");
  const drained = await most(again);
  expect(await again, group.output).toBe(expected);
  // Segments that are under way at the signal may still come.
  expect(drained).toBeGreaterThan(0);
  expect(drained).toBeLessThan(undrained);
  // It has ended by itself, once nothing was left with it.
  expect(await exit).toEqual([0, null]);
  expect(logged(draining.output, "worker.drained")).toMatchObject({ finished: true });
  expect(await answer()).toBe(expected);
});
