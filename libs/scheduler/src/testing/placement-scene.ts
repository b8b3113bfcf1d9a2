import { create } from "@bufbuild/protobuf";
import { assert, DroverError, type Lane, modelId, silentLogger, type WorkerId, workerId } from "@drover/core";
import type { Member, WorkerStatus } from "@drover/fleet";
import { type PlaceReply, PlaceReplySchema, type PlaceRequest } from "@drover/proto";
import { createMetrics } from "@drover/telemetry";
import { SimClock } from "@drover/testkit";
import { PrefixDirectory } from "../fleet/prefix-directory.ts";
import { Routers } from "../fleet/routers.ts";
import { Candidates } from "../lanes/candidates.ts";
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
  ready: true,
  draining: false,
  kvBytesUsed: 0,
  kvBytesMax: 10_000,
  kvBytesPerToken: 10,
  kvBytesFixed: 0,
  runningCount: 1,
  waitingCount: 0,
  waitingTokenCount: 0,
  contextTokensMax: 1000,
  kvBytesCached: 0,
  costs: { promptRowMs: 0, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 0, stepMsMax: 0 },
  pendingPromptMs: [],
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
  leaving: false,
  loaded: undefined,
  status: { ...idleStatus, ...fields },
});

/** What a worker says to a placement. */
export type Answer = Partial<PlaceReply> | DroverError;

/** A fleet that answers each placement as the test says, and a lane that places on it. */
export class PlacementScene implements PlaceCaller {
  readonly clock = new SimClock();
  readonly queue = new FakeQueue();
  readonly routers = new Routers();
  readonly metrics = createMetrics({ process: "scheduler" });
  readonly schedulerMetrics = new SchedulerMetrics(this.metrics, nano);
  readonly placed: string[] = [];
  members: Member[] = [member("a")];
  answer: (worker: WorkerId, request: PlaceRequest) => Answer | Promise<Answer> = () => ({ accepted: true });
  readonly candidates = new Candidates(() => this.members);
  readonly decisions = new DecisionLog();
  readonly placer = new Placer({
    modelId: nano,
    beginWithinMs: 10_000,
    candidates: this.candidates,
    prefixes: new PrefixDirectory(),
    decisions: this.decisions,
    clock: this.clock,
  });
  readonly #ended = new AbortController();
  readonly #runs: Promise<void>[] = [];

  start(lane: Lane = "short"): LanePlacer {
    const placer = new LanePlacer({
      lane,
      queue: this.queue,
      payloads: this.queue,
      caller: this,
      leaderEpoch: EPOCH,
      logger: silentLogger,
      candidates: this.candidates,
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

  async place(worker: WorkerId, _address: string, request: PlaceRequest): Promise<PlaceReply> {
    assert(request.leaderEpoch === EPOCH, "an order carries its leader's epoch");
    this.placed.push(`${new TextDecoder().decode(request.payload)} on ${worker} as ${request.attempt}`);
    const answer = await this.answer(worker, request);
    if (answer instanceof DroverError) throw answer;
    return Object.assign(create(PlaceReplySchema), answer);
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
