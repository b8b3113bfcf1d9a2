import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ATTEMPT_STRIDE,
  DroverError,
  greedyParams,
  modelId,
  neverAborted,
  type RequestId,
  requestId,
  routerId,
  silentLogger,
} from "@drover/core";
import { Answer, type InferenceRequest } from "@drover/openai";
import { RequestEventSchema } from "@drover/proto";
import { createMetrics } from "@drover/telemetry";
import { SimClock, settled } from "@drover/testkit";
import { requestEventFromWire } from "@drover/wire";
import { describe, expect, it } from "vitest";
import {
  QUEUE_AWAY_MS_MAX,
  QUEUE_RETRY_MS,
  READD_BACKOFF_MS,
  READDS_MAX,
  SWEEP_INTERVAL_MS,
  UNBEGUN_GRACE_MS,
} from "../limits.ts";
import { RouterMetrics } from "../metrics/router-metrics.ts";
import { routerSeries } from "../metrics/router-series.ts";
import { FakeCluster } from "../testing/fake-cluster.ts";
import { tinyModel } from "../testing/tiny-model.ts";
import { done, end, started } from "../testing/worker-events.ts";
import type { Generation } from "./generation.ts";
import { Generations } from "./generations.ts";

const DEAD = "dead#1";
const NEXT = "next#1";

const request: InferenceRequest = {
  promptTokenIds: Uint32Array.of(1, 2, 3),
  images: [],
  echoText: undefined,
  sampling: greedyParams(4),
  stop: [],
  toolCalls: undefined,
};

type Cancel = Readonly<{ worker: string | undefined; attempt: number; force: boolean | undefined }>;

/** A router's requests on a clock of the test's, with a queue that keeps what it gets. */
class Scene {
  readonly clock = new SimClock();
  readonly cluster = new FakeCluster();
  readonly cancels: Cancel[] = [];
  readonly metrics = createMetrics({ process: "router" });
  readonly generations = new Generations({
    newRequestId: () => requestId(randomUUID()),
    model: tinyModel(),
    routerId: routerId("router"),
    queue: this.cluster,
    store: this.cluster,
    clock: this.clock,
    logger: silentLogger,
    metrics: new RouterMetrics(routerSeries(this.metrics), modelId("tiny")),
    vision: { encode: async () => [] },
    hashSeed: () => ({ modelFingerprint: "tiny", salt: "" }),
    cancelAt: (worker, _request, attempt, force) => this.cancels.push({ worker, attempt, force }),
  });

  async start(): Promise<Generation> {
    const permit = { arrivedMs: this.clock.monotonic(), trace: undefined };
    const generation = this.generations.open(request, permit, neverAborted);
    await this.generations.begin(generation, async () => undefined);
    return generation;
  }

  /** Lets time pass as the router does: what is late is looked for at every interval. */
  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += SWEEP_INTERVAL_MS) {
      await this.clock.advance(Math.min(SWEEP_INTERVAL_MS, ms - passedMs));
      this.generations.sweep(this.clock.now());
      // A job leaves for the queue in the event loop's next turn.
      await settled();
    }
  }

  hear(
    worker: string,
    requestId: RequestId,
    attempt: number,
    ...events: NonNullable<MessageInitShape<typeof RequestEventSchema>["event"]>[]
  ): void {
    for (const event of events) {
      const heard = requestEventFromWire(create(RequestEventSchema, { requestId, attempt, event }));
      if (heard !== undefined) this.generations.take(worker, heard, this.clock.monotonic());
    }
  }

  /** Bases of the attempts that went into the queue, in order. */
  get attemptBases(): number[] {
    return this.cluster.jobs.all.map(({ attemptBase }) => attemptBase);
  }
}

describe("a request whose worker died before it said that it has it", () => {
  it("is added again when the grace is over, no sooner and only once", async () => {
    const scene = new Scene();
    await scene.start();
    scene.generations.workerLost(DEAD);
    await scene.pass(UNBEGUN_GRACE_MS - 1);
    expect(scene.attemptBases).toEqual([0]);
    await scene.pass(1);
    await scene.pass(READD_BACKOFF_MS);
    expect(scene.cluster.jobs.all[1]).toMatchObject({ attemptBase: ATTEMPT_STRIDE, front: true });
    await scene.pass(10 * UNBEGUN_GRACE_MS);
    expect(scene.attemptBases).toEqual([0, ATTEMPT_STRIDE]);
    expect(await scene.metrics.text()).toMatch(/drover_router_readds_total\{[^}]*cause="worker_lost"[^}]*\} 1\n/);
  });

  it("refuses a late sign of the older attempt, and is answered by the newer one", async () => {
    const scene = new Scene();
    const generation = await scene.start();
    const { requestId } = generation;
    scene.generations.workerLost(DEAD);
    await scene.pass(UNBEGUN_GRACE_MS + READD_BACKOFF_MS);
    scene.hear(DEAD, requestId, 0, started(0), end(0), done);
    expect(scene.cancels[0]).toEqual({ worker: DEAD, attempt: 0, force: true });
    expect(scene.generations.count).toBe(1);
    expect(generation.state.tokenCount).toBe(0);
    const answer = Answer.collect(generation.outputs(), 1, request.sampling.n);
    const token = { case: "token", value: { choice: 0, index: 0, tokenId: 97 } } as const;
    scene.hear(NEXT, requestId, ATTEMPT_STRIDE, started(0), token, end(1), done);
    expect((await answer).choices[0]).toMatchObject({ text: "a", finish: "stop" });
    expect(scene.generations.count).toBe(0);
  });

  it("counts its grace from the first loss, whatever is lost after it", async () => {
    const scene = new Scene();
    await scene.start();
    scene.generations.workerLost(DEAD);
    await scene.pass(UNBEGUN_GRACE_MS - 1);
    scene.generations.workerLost("other#1");
    await scene.pass(1);
    await scene.pass(READD_BACKOFF_MS);
    expect(scene.attemptBases).toEqual([0, ATTEMPT_STRIDE]);
  });

  it("stays as it is when another worker begins it within the grace", async () => {
    const scene = new Scene();
    const { requestId } = await scene.start();
    scene.generations.workerLost(DEAD);
    await scene.pass(UNBEGUN_GRACE_MS - 1);
    scene.hear(NEXT, requestId, 1, started(0));
    await scene.pass(10 * UNBEGUN_GRACE_MS);
    expect(scene.attemptBases).toEqual([0]);
    expect(scene.cancels).toEqual([]);
  });

  it("waits for a queue that is away, longer than it is lost too often, and not for ever", async () => {
    const scene = new Scene();
    const generation = await scene.start();
    scene.hear(DEAD, generation.requestId, 0, started(0));
    scene.cluster.addError = new DroverError("unavailable", "away");
    scene.generations.workerLost(DEAD);
    await scene.pass(QUEUE_AWAY_MS_MAX / 2);
    expect(scene.attemptBases).toEqual([0]);
    scene.cluster.addError = undefined;
    await scene.pass(QUEUE_RETRY_MS);
    expect(scene.attemptBases).toHaveLength(2);
    expect(scene.cluster.jobs.all[1]).toMatchObject({ attemptBase: generation.state.attemptBase, front: true });

    scene.hear(NEXT, generation.requestId, generation.state.attemptBase, started(0));
    const answer = Answer.collect(generation.outputs(), 1, request.sampling.n).catch((error: unknown) => error);
    scene.cluster.addError = new DroverError("unavailable", "away");
    scene.generations.workerLost(NEXT);
    await scene.pass(QUEUE_AWAY_MS_MAX + 2 * QUEUE_RETRY_MS);
    expect(await answer).toMatchObject({ code: "unavailable", message: "the queue cannot be reached" });
  });

  it("ends when that has happened too often", async () => {
    const scene = new Scene();
    const generation = await scene.start();
    const answer = Answer.collect(generation.outputs(), 1, request.sampling.n).catch((error: unknown) => error);
    for (let loss = 0; loss <= READDS_MAX; loss++) {
      scene.generations.workerLost(`${DEAD}${loss}`);
      await scene.pass(2 * UNBEGUN_GRACE_MS);
    }
    expect(await answer).toMatchObject({ code: "unavailable" });
    expect(scene.attemptBases).toEqual(Array.from({ length: READDS_MAX + 1 }, (_, add) => add * ATTEMPT_STRIDE));
    expect(scene.generations.count).toBe(0);
  });
});

describe("a worker's late word that an attempt is over, which the router has asked after", () => {
  const over = { case: "failed", value: { code: "unavailable", retryable: true } } as const;

  it("changes nothing for a request that was answered meanwhile", async () => {
    const scene = new Scene();
    const generation = await scene.start();
    const answer = Answer.collect(generation.outputs(), 1, request.sampling.n);
    scene.hear(NEXT, generation.requestId, 0, started(0), end(0), done, over);
    expect((await answer).choices[0]).toMatchObject({ text: "", finish: "stop" });
    await scene.pass(2 * READD_BACKOFF_MS);
    expect([scene.attemptBases, scene.cancels]).toEqual([[0], []]);
  });

  it("changes nothing for a newer attempt", async () => {
    const scene = new Scene();
    const { requestId, state } = await scene.start();
    scene.hear(NEXT, requestId, 0, started(0), over, over);
    await scene.pass(2 * READD_BACKOFF_MS);
    scene.hear(NEXT, requestId, ATTEMPT_STRIDE, started(0));
    scene.hear(NEXT, requestId, 0, over);
    await scene.pass(2 * READD_BACKOFF_MS);
    expect([scene.attemptBases, state.owner]).toEqual([[0, ATTEMPT_STRIDE], { worker: NEXT, attempt: ATTEMPT_STRIDE }]);
  });
});

describe("a request whose worker ends in order", () => {
  const handedBack = {
    case: "failed",
    value: { code: "unavailable", retryable: true, handedBack: true },
  } as const;

  it("goes on elsewhere at once, however often, with what was delivered", async () => {
    const scene = new Scene();
    const { requestId } = await scene.start();
    for (let i = 0; i < 2 * READDS_MAX; i++) {
      const attempt = i * ATTEMPT_STRIDE;
      scene.hear(`w${i}#1`, requestId, attempt, started(0), handedBack);
      await scene.pass(1);
    }
    expect(scene.attemptBases).toEqual(Array.from({ length: 2 * READDS_MAX + 1 }, (_, i) => i * ATTEMPT_STRIDE));
  });

  it("is not suspected of having been there when it waits while a worker says farewell", async () => {
    const scene = new Scene();
    await scene.start();
    scene.generations.workerLeft(DEAD);
    await scene.pass(2 * UNBEGUN_GRACE_MS);
    expect(scene.attemptBases).toEqual([0]);
  });
});
