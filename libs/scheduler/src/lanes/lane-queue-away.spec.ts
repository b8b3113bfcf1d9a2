import { DroverError } from "@drover/core";
import { afterEach, expect, it } from "vitest";
import { QUEUE_RETRY_MS } from "../limits.ts";
import { job } from "../testing/fake-queue.ts";
import { PlacementScene } from "../testing/placement-scene.ts";

const scene = new PlacementScene();
afterEach(() => scene.stop());

it("a queue that refuses at once when a job that was taken is to be placed is asked again after a while, and not without end", async () => {
  let askedCount = 0;
  let isAway = true;
  scene.queue.isCancelled = async () => {
    askedCount += 1;
    // Of a lane that never waits this is the end too.
    if (isAway && askedCount <= 100) throw new DroverError("unavailable", "the queue is away");
    return false;
  };
  const lane = scene.start();
  scene.queue.add(job("one"));
  await scene.clock.advance(QUEUE_RETRY_MS - 1);
  // However often somebody joins, or jobs come.
  for (let i = 0; i < 5; i++) {
    lane.wake();
    await scene.clock.advance(0);
  }
  expect(askedCount).toBe(1);
  await scene.clock.advance(QUEUE_RETRY_MS);
  expect(askedCount).toBe(2);
  isAway = false;
  await scene.clock.advance(QUEUE_RETRY_MS);
  expect(scene.placed).toEqual(["one on a as 0"]);
});
