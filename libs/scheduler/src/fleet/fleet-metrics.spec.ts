import { modelId, type WorkerRole, workerId } from "@drover/core";
import { type Member, NO_STATUS } from "@drover/fleet";
import { createMetrics } from "@drover/telemetry";
import { beforeEach, describe, expect, it } from "vitest";
import { SchedulerMetrics } from "../scheduler-metrics.ts";
import { emptyMap } from "./expert-map.ts";

const NO_MAP = emptyMap(modelId("nano"), 0n);

let registry: ReturnType<typeof createMetrics>;
let metrics: SchedulerMetrics;

/** Values by the text of their labels, of one name. */
async function series(name: string): Promise<Record<string, number>> {
  const lines = (await registry.text()).split("\n").filter((line) => line.startsWith(`${name}{`));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(name.length, line.lastIndexOf(" ")).replace(/,?process="scheduler"/, ""),
      Number(line.slice(line.lastIndexOf(" "))),
    ]),
  );
}

function member(role: WorkerRole, fields: Partial<Member>, ready: boolean, draining = false): Member {
  return {
    session: 1,
    profile: {
      workerId: workerId("w"),
      incarnation: "life-1",
      modelId: modelId("nano"),
      roles: [role],
      address: "w:1",
      adminAddress: "",
    },
    joinedAtMs: 0,
    heardAtMs: 0,
    suspected: false,
    frozen: false,
    leaving: false,
    status: { ...NO_STATUS, ready, draining },
    loaded: undefined,
    ...fields,
  };
}

beforeEach(() => {
  registry = createMetrics({ process: "scheduler" });
  metrics = new SchedulerMetrics(registry, modelId("nano"));
  metrics.leading(true);
});

describe("FleetMetrics", () => {
  it("counts each member once for each of its roles, in one state", async () => {
    const members = [
      member("experts", {}, true),
      member("experts", { status: undefined }, true),
      member("experts", { suspected: true, leaving: true }, true),
      member("experts", { leaving: true }, true),
      member("experts", {}, true, true),
    ];
    metrics.fleet.note(members, 2, NO_MAP, 0);
    const workers = await series("drover_scheduler_workers");
    const of = (role: string) =>
      ["ready", "starting", "suspected", "draining"].map((s) => workers[`{role="${role}",state="${s}"}`]);
    expect(of("experts")).toEqual([1, 1, 1, 2]);
    expect(of("attention")).toEqual([0, 0, 0, 0]);
    expect(await series("drover_scheduler_routers")).toEqual({ "{}": 2 });
  });

  it("counts the experts of all layers that nobody holds, and those that nobody has room for", async () => {
    const held = [workerId("w")];
    const experts = new Map([
      [1, [held, []]],
      [3, [[], []]],
    ]);
    metrics.fleet.note([], 0, { ...NO_MAP, epoch: 7n, experts }, 5);
    expect(await series("drover_scheduler_experts_without_room")).toEqual({ "{}": 5 });
    expect(await series("drover_scheduler_experts_without_holder")).toEqual({ "{}": 3 });
    expect(await series("drover_scheduler_map_epoch")).toEqual({ "{}": 7 });
    expect(await series("drover_scheduler_map_complete")).toEqual({ "{}": 0 });
  });

  it("says nothing of workers and queue once its scheduler stands by, and keeps what it has counted", async () => {
    metrics.fleet.note([member("experts", {}, true)], 1, NO_MAP, 0);
    metrics.queue(
      [{ lane: "short", waitingCount: 3, oldestEnqueuedAtMs: 0 }],
      () => ({ waitMs: 1, msPerJob: 1 }),
      5000,
    );
    metrics.fleet.gone("silent");
    expect(await series("drover_scheduler_queue_depth")).toMatchObject({ '{lane="short"}': 3 });
    metrics.leading(false);
    expect(await series("drover_scheduler_workers")).toEqual({});
    expect(await series("drover_scheduler_queue_depth")).toEqual({});
    expect(await series("drover_scheduler_workers_gone_total")).toMatchObject({ '{reason="silent"}': 1 });
  });
});
