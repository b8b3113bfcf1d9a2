import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  ATTEMPT_STRIDE,
  DroverError,
  greedyParams,
  type JobName,
  modelId,
  neverAborted,
  type QueueJob,
  type QueueProducer,
  requestId,
  routerId,
  silentLogger,
} from "@drover/core";
import type { InferenceRequest } from "@drover/openai";
import { RequestEventSchema } from "@drover/proto";
import { createMetrics } from "@drover/telemetry";
import { SimClock, settled } from "@drover/testkit";
import { requestEventFromWire } from "@drover/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOST_CHECK_MS, LOST_GRACE_MS, QUEUE_CALL_LIMIT, READD_BACKOFF_MS, SWEEP_INTERVAL_MS } from "../limits.ts";
import { RouterMetrics } from "../metrics/router-metrics.ts";
import { routerSeries } from "../metrics/router-series.ts";
import { FakeCluster } from "../testing/fake-cluster.ts";
import { tinyModel } from "../testing/tiny-model.ts";
import { started } from "../testing/worker-events.ts";
import type { Generation } from "./generation.ts";
import { Generations } from "./generations.ts";

const request: InferenceRequest = {
  promptTokenIds: Uint32Array.of(1, 2, 3),
  images: [],
  echoText: undefined,
  sampling: greedyParams(4),
  stop: [],
  toolCalls: undefined,
};

/** From a loss to the add that mends it, whenever it comes: a job is old enough, is found missing, stays so, and is added. */
const FOUND_MS = LOST_GRACE_MS + 3 * LOST_CHECK_MS + LOST_GRACE_MS + READD_BACKOFF_MS + 2 * SWEEP_INTERVAL_MS;

const keyOf = ({ requestId, attemptBase }: JobName) => `${requestId} ${attemptBase}`;

/** A queue that the test loses jobs of. */
class LossyQueue implements QueueProducer {
  readonly jobs = new Map<string, QueueJob>();
  readonly added: QueueJob[] = [];
  answer: "answers" | "refuses" | "hangs" = "answers";
  cancelCount = 0;
  askedCount = 0;
  askingCount = 0;

  async add(jobs: readonly QueueJob[]): Promise<void> {
    for (const job of jobs) this.jobs.set(keyOf(job), job);
    this.added.push(...jobs);
  }

  async cancel(): Promise<void> {
    this.cancelCount += 1;
  }

  async missing(jobs: readonly JobName[], signal: AbortSignal): Promise<readonly JobName[]> {
    this.askedCount += 1;
    if (this.answer === "refuses") throw new DroverError("unavailable", "away");
    this.askingCount += 1;
    expect(this.askingCount).toBe(1);
    if (this.answer === "hangs") await new Promise((resolve) => signal.addEventListener("abort", resolve));
    this.askingCount -= 1;
    return jobs.filter((job) => !this.jobs.has(keyOf(job)));
  }
}

class Scene {
  readonly clock = new SimClock();
  readonly queue = new LossyQueue();
  readonly metrics = createMetrics({ process: "router" });
  readonly generations = new Generations({
    newRequestId: () => requestId(randomUUID()),
    model: tinyModel(),
    routerId: routerId("router"),
    queue: this.queue,
    store: new FakeCluster(),
    clock: this.clock,
    logger: silentLogger,
    metrics: new RouterMetrics(routerSeries(this.metrics), modelId("tiny")),
    vision: { encode: async () => [] },
    hashSeed: () => ({ modelFingerprint: "tiny", salt: "" }),
    cancelAt: () => undefined,
  });

  async start(): Promise<Generation> {
    const permit = { arrivedMs: this.clock.monotonic(), trace: undefined };
    const generation = this.generations.open(request, permit, neverAborted);
    await this.generations.begin(generation, async () => undefined);
    return generation;
  }

  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += SWEEP_INTERVAL_MS) {
      await this.clock.advance(Math.min(SWEEP_INTERVAL_MS, ms - passedMs));
      this.generations.sweep(this.clock.now());
      await settled();
    }
  }

  begin({ requestId, state }: Generation): void {
    const event = create(RequestEventSchema, { requestId, attempt: state.attemptBase, event: started(0) });
    const heard = requestEventFromWire(event);
    if (heard !== undefined) this.generations.take("w#1", heard, this.clock.monotonic());
  }

  adds({ requestId }: Generation): readonly number[] {
    return this.queue.added.filter((job) => job.requestId === requestId).map(({ attemptBase }) => attemptBase);
  }
}

describe("LostJobs", () => {
  it("what the queue has lost is added again first in its lane, as a newer attempt, and counted", async () => {
    const scene = new Scene();
    const [lost, kept] = [await scene.start(), await scene.start()];
    scene.queue.jobs.delete(`${lost.requestId} 0`);
    await scene.pass(FOUND_MS);
    expect(scene.adds(lost)).toEqual([0, ATTEMPT_STRIDE]);
    expect(scene.adds(kept)).toEqual([0]);
    expect(scene.queue.added.at(-1)).toMatchObject({ front: true });
    expect(await scene.metrics.text()).toMatch(/drover_router_readds_total\{[^}]*cause="queue_lost"[^}]*\} 1\n/);
  });

  it("a job that has left for a worker is not lost, when the worker's word comes within the grace", async () => {
    const scene = new Scene();
    const placed = await scene.start();
    await scene.pass(2 * LOST_GRACE_MS);
    scene.queue.jobs.clear();
    await scene.pass(LOST_GRACE_MS - SWEEP_INTERVAL_MS);
    scene.begin(placed);
    await scene.pass(2 * FOUND_MS);
    expect(scene.adds(placed)).toEqual([0]);
  });

  it("a request whose job is lost again and again ends with unavailable", async () => {
    const scene = new Scene();
    const lost = await scene.start();
    const reason = new Promise((resolve) => lost.failed.addEventListener("abort", () => resolve(lost.failed.reason)));
    for (let i = 0; i < 10; i++) {
      scene.queue.jobs.clear();
      await scene.pass(FOUND_MS + 2000);
    }
    expect(await reason).toMatchObject({ code: "unavailable" });
    expect(scene.generations.count).toBe(0);
  });

  it("whatever is lost, begun, and not known meanwhile: what is lost is added again in time, nothing else is, and the queue is asked seldom", async () => {
    const happenings = fc.array(
      fc.record({
        waitMs: fc.integer({ min: 0, max: 4000 }),
        kind: fc.constantFrom("start", "lose", "begin", "refuses", "hangs", "answers"),
        which: fc.nat(5),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(happenings, async (steps) => {
        const scene = new Scene();
        const all = [await scene.start()];
        const [lost, begun] = [new Set<Generation>(), new Set<Generation>()];
        for (const { waitMs, kind, which } of steps) {
          await scene.pass(waitMs);
          const one = all[which % all.length];
          if (one === undefined) continue;
          if (kind === "start") all.push(await scene.start());
          else if (kind === "begin") {
            scene.begin(one);
            begun.add(one);
          } else if (kind === "lose") {
            if (scene.queue.jobs.delete(`${one.requestId} ${one.state.attemptBase}`) && !begun.has(one)) lost.add(one);
          } else scene.queue.answer = kind;
        }
        scene.queue.answer = "answers";
        await scene.pass(QUEUE_CALL_LIMIT.ms + FOUND_MS);
        for (const one of all) {
          const isFound = begun.has(one) || scene.queue.jobs.has(`${one.requestId} ${one.state.attemptBase}`);
          expect(isFound).toBe(true);
          if (!lost.has(one)) expect(scene.adds(one)).toEqual([0]);
        }
        expect(scene.queue.askedCount).toBeLessThanOrEqual(scene.clock.monotonic() / LOST_CHECK_MS + 1);
      }),
      { numRuns: 60 },
    );
  });
});
