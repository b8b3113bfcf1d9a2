import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Clock, modelId, neverAborted, silentLogger, systemClock } from "@drover/core";
import {
  AttentionWorker,
  Cluster,
  type ClusterState,
  PlaceReplySchema,
  type PlaceRequest,
  WatchRequestSchema,
  type WorkerOrder,
  WorkerReportSchema,
  WorkerRole,
} from "@drover/proto";
import { createServer, listen, RpcClient, rpcService } from "@drover/rpc";
import { createMetrics } from "@drover/telemetry";
import { SimClock, settled } from "@drover/testkit";
import type { Server } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SETTLE_MS } from "./limits.ts";
import { Scheduler } from "./scheduler.ts";
import { FakeLease } from "./testing/fake-lease.ts";
import { FakeQueue, job } from "./testing/fake-queue.ts";
import { Received } from "./testing/received.ts";

type Report = NonNullable<MessageInitShape<typeof WorkerReportSchema>["report"]>;

let lease: FakeLease;
let queue: FakeQueue;
let scheduler: Scheduler;
let client: RpcClient;
let stop: () => Promise<void>;
const placed: PlaceRequest[] = [];
let worker: Server;
let workerAddress: string;

async function start(clock: Clock = systemClock): Promise<void> {
  lease = new FakeLease();
  queue = new FakeQueue();
  const metrics = createMetrics({ process: "scheduler" });
  const shared = { queue, payloads: queue, lease, clock, logger: silentLogger, metrics };
  scheduler = new Scheduler({ ...shared, modelId: modelId("nano"), schedulerId: "scheduler-1", expectExperts: 1 });
  const server = createServer();
  scheduler.addTo(server);
  client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
  const ended = new AbortController();
  const run = scheduler.run(ended.signal);
  stop = async () => {
    ended.abort();
    await run;
    client[Symbol.dispose]();
    server.forceShutdown();
  };
}

/** A worker's Join stream. */
function join(id: string, roles: WorkerRole[], fields: Readonly<{ modelId?: string; incarnation?: string }> = {}) {
  const call = client.bidiStream(Cluster.method.join);
  const received = new Received<WorkerOrder>(call);
  const report = (one: Report) => void call.write(create(WorkerReportSchema, { report: one }));
  const value = {
    workerId: id,
    incarnation: "life-1",
    modelId: "nano",
    modelFingerprint: "f",
    roles,
    address: workerAddress,
    moeLayers: [1],
    expertCount: 4,
    ...fields,
  };
  report({ case: "hello", value });
  const status = (ready: boolean) =>
    report({
      case: "status",
      value: { ready, kvBytesMax: 10_000n, kvBytesPerToken: 1n, contextTokensMax: 1000n },
    });
  const loaded = (...experts: number[]) => report({ case: "loaded", value: { layers: [{ layer: 1, experts }] } });
  return { call, received, status, loaded };
}

function watch(routerId = "router-1", watchedModel = "nano"): Received<ClusterState> {
  const request = create(WatchRequestSchema, { routerId, modelId: watchedModel });
  return new Received(client.serverStream(Cluster.method.watch, request));
}

const is = (kind: WorkerOrder["order"]["case"]) => (order: WorkerOrder) => order.order.case === kind;

/** A fleet of one that has just started and obeys. */
async function startedFleet() {
  const all = join("a", [WorkerRole.ATTENTION, WorkerRole.EXPERTS]);
  await all.received.first(is("accepted"));
  all.status(false);
  all.loaded();
  await all.received.first(is("setExperts"));
  all.loaded(0, 1, 2, 3);
  await all.received.first(is("expertMap"));
  all.status(true);
  return all;
}

beforeEach(async () => {
  placed.length = 0;
  worker = createServer();
  const service = rpcService(AttentionWorker, {
    place: (request) => {
      placed.push(request);
      return create(PlaceReplySchema, { accepted: true });
    },
    tokens: () => undefined,
  });
  worker.addService(...service);
  workerAddress = `127.0.0.1:${await listen(worker, "127.0.0.1:0")}`;
});

afterEach(async () => {
  await stop();
  worker.forceShutdown();
});

describe("Scheduler", () => {
  it("a standby answers every call with not_leader and names the leader, until it leads itself", async () => {
    await start();
    lease.address = "10.0.0.7:50052";
    const refusal = { code: "not_leader", message: expect.stringContaining("10.0.0.7:50052") };
    expect(await join("a", [WorkerRole.EXPERTS]).received.fault).toMatchObject(refusal);
    expect(await watch().fault).toMatchObject(refusal);
    expect(scheduler.leading).toBe(false);
    lease.grant(3n);
    while (!scheduler.leading) await settled();
    const accepted = await join("a", [WorkerRole.EXPERTS]).received.first(is("accepted"));
    expect(accepted.order).toMatchObject({ value: { leaderEpoch: 3n, schedulerId: "scheduler-1", heartbeatMs: 1000 } });
  });

  it("a fleet that starts is shown to routers as it grows, and a job is placed on it with the leader's epoch", async () => {
    await start();
    lease.grant(3n);
    await settled();
    const states = watch();
    await startedFleet();
    const ready = await states.first((state) => state.ready);
    expect(ready).toMatchObject({ modelId: "nano", leaderEpoch: 3n, routerIds: ["router-1"] });
    expect(ready.workers).toMatchObject([{ workerId: "a", expertCount: 4, status: { ready: true } }]);
    expect(ready.expertMap?.complete).toBe(true);
    const completed = new Promise<void>((resolve) => {
      const take = queue.take.bind(queue);
      queue.take = async (lane) => {
        const taken = await take(lane);
        return taken && { ...taken, complete: async (...args) => taken.complete(...args).then(resolve) };
      };
    });
    queue.add(job("one", { attemptBase: 1000 }));
    await completed;
    expect(placed).toMatchObject([{ attempt: 1000, leaderEpoch: 3n }]);
    expect(new TextDecoder().decode(placed[0]?.payload)).toBe("one");
  });

  it("a worker whose stream breaks is gone from the next state, and its experts from the map", async () => {
    await start();
    lease.grant(3n);
    await settled();
    const states = watch();
    const { call } = await startedFleet();
    const ready = await states.first((state) => state.ready);
    call.on("error", () => undefined);
    call.cancel();
    const after = await states.first((state) => (state.expertMap?.epoch ?? 0n) > (ready.expertMap?.epoch ?? 0n));
    expect(after).toMatchObject({ ready: false, workers: [], expertMap: { complete: false } });
  });

  it("drains a worker of the leader's, whichever scheduler is asked, and names the workers for a wrong name", async () => {
    await start();
    lease.grant(1n);
    const all = await startedFleet();
    const leader = scheduler;
    lease.address = client.address;
    const standby = new Scheduler({
      ...{ queue, payloads: queue, lease, clock: systemClock, logger: silentLogger, expectExperts: 1 },
      ...{ modelId: modelId("nano"), schedulerId: "scheduler-2", metrics: createMetrics({ process: "scheduler" }) },
    });
    for (const one of [standby, leader]) {
      const ask = (workerId: string) => one.drain({ workerId, undo: false, incarnation: "" }, neverAborted);
      expect(await ask("a")).toMatchObject({ incarnation: "life-1", draining: false });
      const wrong = { code: "not_found", message: expect.stringContaining("the workers are a") };
      await expect(ask("b")).rejects.toMatchObject(wrong);
    }
    const order = await all.received.first(is("setDrain"));
    expect(order.order.value).toMatchObject({ wanted: true });
    lease.address = undefined;
    await expect(standby.drain({ workerId: "a", undo: true, incarnation: "" }, neverAborted)).rejects.toMatchObject({
      code: "not_leader",
    });
  });

  it("with the lease it loses all streams at once, and places nothing", async () => {
    await start();
    lease.grant(3n);
    await settled();
    const states = watch();
    const { received } = await startedFleet();
    await states.first((state) => state.ready);
    lease.lose();
    expect(scheduler.leading).toBe(false);
    queue.add(job("one"));
    expect(await received.fault).toMatchObject({ code: "not_leader" });
    expect(await states.fault).toMatchObject({ code: "not_leader" });
    expect(placed).toEqual([]);
    expect(queue.ended.filter((how) => how.endsWith("complete"))).toEqual([]);
    lease.grant(4n);
    while (!scheduler.leading) await settled();
    const accepted = await join("a", [WorkerRole.EXPERTS]).received.first(is("accepted"));
    expect(accepted.order).toMatchObject({ value: { leaderEpoch: 4n } });
    expect(lease.releasedCount).toBe(0);
  });

  it("peers of another model are refused with invalid_argument", async () => {
    await start();
    lease.grant(3n);
    await settled();
    const refused = { code: "invalid_argument", field: "model_id" };
    expect(await join("a", [WorkerRole.EXPERTS], { modelId: "scout" }).received.fault).toMatchObject(refused);
    expect(await watch("router-1", "scout").fault).toMatchObject(refused);
    expect(await watch("not a name").fault).toMatchObject({ code: "invalid_argument" });
  });

  it("a new leader says nothing of the fleet until workers that serve already had the time to come back", async () => {
    const clock = new SimClock();
    await start(clock);
    lease.grant(3n);
    await settled();
    const states = watch();
    const first = join("a", [WorkerRole.ATTENTION, WorkerRole.EXPERTS]);
    first.status(true);
    first.loaded(0, 1);
    await first.received.first(is("accepted"));
    await clock.advance(SETTLE_MS - 100);
    expect(states.messages).toEqual([]);
    const second = join("b", [WorkerRole.EXPERTS]);
    second.loaded(2, 3);
    // The map is whole again without a move: orders name what is loaded.
    const map = await first.received.first(is("expertMap"));
    expect(map.order).toMatchObject({ value: { complete: true } });
    expect((await second.received.first(is("setExperts"))).order).toMatchObject({
      value: { layers: [{ layer: 1, experts: [2, 3] }] },
    });
    expect(states.messages).toEqual([]);
    await clock.advance(200);
    const state = await states.first(() => true);
    expect(state).toMatchObject({ ready: true, workers: [{ workerId: "a" }, { workerId: "b" }] });
  });
});
