import { afterEach, expect, it } from "vitest";
import { HELD_POLL_MS, HOLD_MS_MAX, LEASES_HELD_MAX, OVERTAKE_MS_MAX } from "../limits.ts";
import { job } from "../testing/fake-queue.ts";
import { idleStatus, member, PlacementScene } from "../testing/placement-scene.ts";

let scene = new PlacementScene();
afterEach(async () => {
  await scene.stop();
  expect(scene.queue.heldCount).toBe(0);
  scene = new PlacementScene();
});

const front = { front: true, attemptBase: 1_000_000 };
const large = { promptTokenCount: 900 };

it("a job that was added to the front is placed at once, however many jobs the lane holds that find no room", async () => {
  scene.members = [member("a", { kvBytesUsed: 5000 })];
  const placer = scene.start();
  scene.queue.add(...Array.from({ length: 2 * LEASES_HELD_MAX }, (_, i) => job(`large-${i}`, large)));
  await scene.clock.advance(HELD_POLL_MS);
  expect(placer.heldCount).toBe(LEASES_HELD_MAX);
  scene.queue.add(job("resumed", front));
  await scene.clock.advance(0);
  expect(scene.placed).toEqual(["resumed on a as 1000000"]);
  expect(scene.queue.ended).toEqual(["resumed complete"]);
});

it("a job that was added to the front waits behind none that has been passed over for too long", async () => {
  scene.members = [member("a", { kvBytesUsed: 5000 })];
  scene.start();
  scene.queue.add(job("large", large));
  await scene.clock.advance(OVERTAKE_MS_MAX + HOLD_MS_MAX);
  scene.queue.add(job("new"));
  await scene.clock.advance(HELD_POLL_MS);
  expect(scene.placed).toEqual([]);
  scene.queue.add(job("resumed", front));
  await scene.clock.advance(0);
  expect(scene.placed).toEqual(["resumed on a as 1000000"]);
  // And that one's turn is not put off by it.
  scene.members = [member("a")];
  await scene.clock.advance(HELD_POLL_MS);
  expect(scene.placed.slice(1)).toEqual(["large on a as 0", "new on a as 0"]);
});

it("a job that was added to the front goes to a worker that has more prompts before it than a new one may wait for", async () => {
  const busy = { kvBytesMax: 1e9, contextTokensMax: 1e6, costs: { ...idleStatus.costs, promptRowMs: 10 } };
  scene.members = [member("a", { ...busy, pendingPromptMs: [3_600_000] })];
  scene.start("long");
  scene.queue.add(job("new", { lane: "long", promptTokenCount: 100_000 }));
  await scene.clock.advance(1000);
  expect(scene.placed).toEqual([]);
  scene.queue.add(job("resumed", { ...front, lane: "long", promptTokenCount: 100_010 }));
  await scene.clock.advance(HELD_POLL_MS);
  expect(scene.placed).toEqual(["resumed on a as 1000000"]);
});

it("of jobs that find no room one that was added to the front gets what comes free, before its lane's others and another lane's", async () => {
  scene.members = [member("a", { kvBytesUsed: 9000 })];
  scene.start("long");
  scene.start("short");
  scene.queue.add(job("new", { promptTokenCount: 400 }));
  await scene.clock.advance(HELD_POLL_MS);
  scene.queue.add(job("resumed", { ...front, promptTokenCount: 800 }));
  await scene.clock.advance(HELD_POLL_MS);
  // There would be room for any of the others.
  scene.members = [member("a", { kvBytesUsed: 4500 })];
  scene.queue.add(job("long", { lane: "long", promptTokenCount: 400 }), job("small"));
  await scene.clock.advance(HOLD_MS_MAX + HELD_POLL_MS);
  expect(scene.placed).toEqual([]);
  scene.members = [member("a")];
  await scene.clock.advance(HELD_POLL_MS);
  expect(scene.placed[0]).toBe("resumed on a as 1000000");
  scene.members = [member("a")];
  scene.capacities.observe([{ kind: "status", member: member("a") }], scene.clock.monotonic() + 1000);
  await scene.clock.advance(1000);
  expect(scene.placed.slice(1).toSorted()).toEqual(["long on a as 0", "new on a as 0", "small on a as 0"]);
});

it("one that is added to the front and fits no worker that is there keeps nobody out", async () => {
  scene.members = [member("a", { contextTokensMax: 200 }), { ...member("b"), suspected: true }];
  scene.start();
  scene.queue.add(job("resumed", { ...front, promptTokenCount: 500 }), job("new"));
  await scene.clock.advance(HELD_POLL_MS);
  expect(scene.placed).toEqual(["new on a as 0"]);
});
