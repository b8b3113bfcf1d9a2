import { DroverError, type RequestId, requestId } from "@drover/core";
import { RecordingLogger, SimClock, settled } from "@drover/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { CANCEL_BATCH_MAX, QUEUE_CALL_LIMIT } from "../limits.ts";
import { QueueCancels } from "./queue-cancels.ts";

const DEADLINE_MS = 600_000;
const id = (n: number) => requestId(`request-${n}`);

/** A queue that takes cancels, refuses them, or does not answer. */
class Scene {
  readonly clock = new SimClock();
  readonly logger = new RecordingLogger();
  readonly asked: (readonly RequestId[])[] = [];
  answer: "takes" | "refuses" | "hangs" = "takes";
  livesMs: number | undefined;
  readonly cancels = new QueueCancels({
    clock: this.clock,
    logger: this.logger,
    queue: {
      cancel: async (ids, _signal, livesMs) => {
        this.asked.push(ids);
        this.livesMs = livesMs;
        if (this.answer === "refuses") throw new DroverError("unavailable", "the queue is away");
        if (this.answer === "hangs") await new Promise(() => undefined);
      },
    },
  });

  get deadlineMs(): number {
    return this.clock.now() + DEADLINE_MS;
  }

  async retry(): Promise<void> {
    this.cancels.retry(this.clock.now());
    await settled();
  }
}

describe("QueueCancels", () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });

  it("a cancel that the queue takes is over, and says how long its job may live", async () => {
    scene.cancels.cancel(id(1), scene.deadlineMs);
    await settled();
    await scene.retry();
    expect(scene.asked).toEqual([[id(1)]]);
    expect(scene.livesMs).toBe(DEADLINE_MS);
    expect(scene.cancels.owedCount).toBe(0);
  });

  it.each(["refuses", "hangs"] as const)(
    "what a queue that %s did not take is tried again until it does, and said once",
    async (answer) => {
      scene.answer = answer;
      for (const n of [1, 2, 3]) scene.cancels.cancel(id(n), scene.deadlineMs);
      await scene.clock.advance(QUEUE_CALL_LIMIT.ms);
      expect(scene.cancels.owedCount).toBe(3);
      await scene.retry();
      await scene.clock.advance(QUEUE_CALL_LIMIT.ms);
      scene.answer = "takes";
      await scene.retry();
      expect(scene.asked.at(-1)?.toSorted()).toEqual([id(1), id(2), id(3)]);
      expect(scene.cancels.owedCount).toBe(0);
      expect(scene.logger.events()).toEqual(["request.cancel_failed", "request.cancels_taken"]);
    },
  );

  it("one call is made at a time, however often it is due", async () => {
    scene.answer = "hangs";
    scene.cancels.cancel(id(1), scene.deadlineMs);
    await scene.clock.advance(QUEUE_CALL_LIMIT.ms);
    for (let i = 0; i < 5; i++) await scene.retry();
    expect(scene.asked).toHaveLength(2);
  });

  it("nothing is owed for a job that cannot live any more", async () => {
    scene.answer = "refuses";
    scene.cancels.cancel(id(1), scene.deadlineMs);
    await settled();
    await scene.clock.advance(DEADLINE_MS);
    await scene.retry();
    expect(scene.asked).toHaveLength(1);
    expect(scene.cancels.owedCount).toBe(0);
  });

  it("a call is bounded, and what is beyond it follows", async () => {
    scene.answer = "refuses";
    for (let n = 0; n < CANCEL_BATCH_MAX + 5; n++) scene.cancels.cancel(id(n), scene.deadlineMs);
    await settled();
    scene.answer = "takes";
    await scene.retry();
    await scene.retry();
    expect(scene.asked.slice(-2).map(({ length }) => length)).toEqual([CANCEL_BATCH_MAX, 5]);
  });
});
