import { SimNetwork, SimWorld } from "@drover/testkit";
import { expect, test } from "vitest";
import { SimClient } from "./sim-client.ts";
import { SimRouter } from "./sim-router.ts";
import { SimScheduler } from "./sim-scheduler.ts";
import { SimWorker } from "./sim-worker.ts";

/** A router, a scheduler and a worker, and one client. Returns how it ended, and all that has happened as one number. */
async function history(seed: number) {
  const world = new SimWorld({ seed });
  const network = new SimNetwork(world, { leastMs: 0.2, mostMs: 3 });
  const schedulers = ["scheduler-0:1"];
  const seams = {};
  const process = (name: string) => world.process(name);
  void new SimScheduler(network, process("scheduler-0"), {
    address: "scheduler-0:1",
    expectExperts: 1,
    holdersMin: 1,
    seams,
  }).run();
  const worker = await SimWorker.start(network, process("worker-0"), {
    roles: ["experts", "attention"],
    schedulers,
    address: "worker-0:1",
    kvBytesMax: 2 ** 20,
    slowness: () => 1,
    seams,
  });
  void worker.run();
  const router = new SimRouter(network, process("router-0"), { schedulers, address: "router-0:1", seams });
  void router.run();
  const faults: string[] = [];
  const prompt = Array.from({ length: 150 }, (_, i) => (i * 7) % 256);
  const plan = { atMs: 0, router: 0, prompt, tokensMax: 20, choiceCount: 2 };
  const client = new SimClient("client-0", plan, (sentence) => faults.push(sentence));
  void client.ask(router);
  await world.run(30_000, () => client.isOver);
  return { faults, end: client.end, hash: world.log.hash, count: world.log.count };
}

test("a prompt over a simulated network comes to its tokens, and its seed to the same events each time", async () => {
  const first = await history(1);
  expect(first).toMatchObject({ faults: [], end: { kind: "answered" } });
  expect(await history(1)).toEqual(first);
  expect((await history(2)).hash).not.toBe(first.hash);
});
