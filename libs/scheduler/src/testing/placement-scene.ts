import { assert, DroverError, type Lane, modelId, silentLogger, type WorkerId, workerId } from "@drover/core";
import { type Member, NO_STATUS, type WorkerStatus } from "@drover/fleet";
import { createMetrics } from "@drover/telemetry";
import { SimClock } from "@drover/testkit";
import type { PlaceRefusal, PlaceRequest } from "@drover/wire";
import { PrefixDirectory } from "../fleet/prefix-directory.ts";
import { Routers } from "../fleet/routers.ts";
import { Capacities } from "../lanes/capacities.ts";
import { DecisionLog } from "../lanes/decision-log.ts";
import { LanePlacer } from "../lanes/lane-placer.ts";
import type { PlaceCaller } from "../lanes/place-caller.ts";
import { Placer } from "../lanes/placer.ts";
import { SchedulerMetrics } from "../scheduler-metrics.ts";
import { FakeQueue } from "./fake-queue.ts";

const nano = modelId("nano");
const EPOCH = 7n;

/** An idle worker that has measured nothing yet. */
export const idleStatus: WorkerStatus = {
  ...NO_STATUS,
  kvBytesMax: 10_000,
  kvBytesPerToken: 10,
  runningCount: 1,
  contextTokensMax: 1000,
};

/** An attention worker of the fleet. */
export const member = (id: string, fields: Partial<WorkerStatus> = {}): Member => ({
  session: 1,
  profile: {
    workerId: workerId(id),
    incarnation: "life-1",
    modelId: nano,
    roles: ["attention"],
    address: `${id}:1`,
    adminAddress: "",
  },
  joinedAtMs: 0,
  heardAtMs: 0,
  suspected: false,
  frozen: false,
  leaving: false,
  loaded: undefined,
  status: { ...idleStatus, ...fields },
});

/** What a worker says to a placement. */
export type Answer = PlaceRefusal | DroverError | undefined;

/** A fleet that answers each placement as the test says, and a lane that places on it. */
export class PlacementScene implements PlaceCaller {
  readonly clock = new SimClock();
  readonly queue = new FakeQueue();
  readonly routers = new Routers();
  readonly metrics = createMetrics({ process: "scheduler" });
  readonly schedulerMetrics = new SchedulerMetrics(this.metrics, nano);
  readonly placed: string[] = [];
  members: Member[] = [member("a")];
  answer: (worker: WorkerId, request: PlaceRequest) => Answer | Promise<Answer> = () => undefined;
  readonly capacities = new Capacities(() => this.members);
  readonly decisions = new DecisionLog();
  readonly placer = new Placer({
    modelId: nano,
    beginWithinMs: 10_000,
    capacities: this.capacities,
    prefixes: new PrefixDirectory(),
    decisions: this.decisions,
    clock: this.clock,
  });
  /** Workers whose placements end as those of a frozen one do. */
  readonly frozen = new Map<string, AbortController>();
  readonly pulses = {
    placing: (worker: WorkerId) => {
      const controller = new AbortController();
      this.frozen.set(worker, controller);
      return { frozen: controller.signal, [Symbol.dispose]: () => undefined };
    },
  };
  readonly #ended = new AbortController();
  readonly #runs: Promise<void>[] = [];

  start(lane: Lane = "short"): LanePlacer {
    const placer = new LanePlacer({
      lane,
      queue: this.queue,
      payloads: this.queue,
      caller: this,
      pulses: this.pulses,
      leaderEpoch: EPOCH,
      logger: silentLogger,
      capacities: this.capacities,
      placer: this.placer,
      decisions: this.decisions,
      onPlaced: () => undefined,
      member: (id) => this.members.find((one) => one.profile.workerId === id),
      routers: this.routers,
      clock: this.clock,
      metrics: this.schedulerMetrics,
    });
    this.queue.onAvailable(() => placer.wake());
    this.#runs.push(placer.run(this.#ended.signal));
    return placer;
  }

  async place(worker: WorkerId, _address: string, request: PlaceRequest): Promise<PlaceRefusal | undefined> {
    assert(request.leaderEpoch === EPOCH, "an order carries its leader's epoch");
    this.placed.push(`${new TextDecoder().decode(request.payload)} on ${worker} as ${request.attempt}`);
    const answer = await this.answer(worker, request);
    if (answer instanceof DroverError) throw answer;
    return answer;
  }

  /** The value of the series of that name with that label. */
  async count(name: string, label: string): Promise<number | undefined> {
    const lines = (await this.metrics.text()).split("\n");
    const line = lines.find((one) => one.startsWith(`${name}{`) && one.includes(label));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  }

  forget(): void {
    this.placed.push("forgotten");
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#runs);
  }
}
