import { create } from "@bufbuild/protobuf";
import { ClusterStateSchema, WorkerRole } from "@drover/proto";
import { describe, expect, it } from "vitest";
import { topPage } from "./top-page.ts";

const GIB = 2n ** 30n;

const state = create(ClusterStateSchema, {
  modelId: "maverick",
  ready: true,
  schedulerId: "scheduler-0123456789",
  leaderEpoch: 7n,
  expertMap: { epoch: 12n, complete: true },
  routerIds: ["r"],
  lanes: [{ lane: "long", waitingCount: 2, oldestAgeMs: 61_000n, predictedWaitMs: 90_000n, waitMsPerJob: 4500 }],
  workers: [
    {
      workerId: "attention-0",
      roles: [WorkerRole.ATTENTION, WorkerRole.VISION],
      predictedPrefix: { promptTokenCount: 1000n, cachedTokenCount: 500n },
      indexedBlockCount: 16_384n,
      kvDtype: "int8",
      status: {
        ready: true,
        runningCount: 3,
        kvBytesUsed: 60n * GIB,
        kvBytesMax: 80n * GIB,
        costs: { promptRowMs: 0.25, decodeMs: 10, stepMsMax: 40 },
        pendingPromptMs: [500, 1000],
        globalKv: { referenced: 49n * GIB, cached: 10n * GIB },
        localKv: { referenced: GIB, cached: 0n },
        prefix: { promptTokenCount: 1000n, cachedTokenCount: 480n },
        hottest: [{ layer: 3, expert: 7, rowCount: 1500n }],
      },
    },
    {
      workerId: "experts-0",
      roles: [WorkerRole.EXPERTS],
      expertCount: 64,
      status: { ready: true, expertRowCount: 30n },
    },
    {
      workerId: "experts-1",
      roles: [WorkerRole.EXPERTS],
      expertCount: 64,
      status: { expertRowCount: 10n },
      silentMs: 4000,
    },
  ],
});

describe("topPage", () => {
  it("shows the cluster, its lanes, its KV by kind, hits as predicted and as they were, and where experts are hot", () => {
    expect(topPage(state)).toEqual([
      "maverick: ready   3 workers, 1 router   leader scheduler-01234567 at 7   expert map complete at 12",
      "",
      "lane  waiting  oldest  predicted wait  each",
      "long        2  1 min   2 min           4.5 s",
      "",
      "decoding     state  roles             running  waiting  prompts  of a step  row ms",
      "attention-0  ready  attention+vision        3        0  1.5 s    25%          0.25",
      "",
      "KV           as    used      of        global    cached    local    cached  blocks  hits  predicted",
      "attention-0  int8  60.0 GiB  80.0 GiB  49.0 GiB  10.0 GiB  1.0 GiB  0 B     16.4k   48%   50%",
      "",
      "experts    state         roles    held  rows  of all",
      "experts-0  ready         experts    64    30  75%",
      "experts-1  silent 4.0 s  experts    64    10  25%",
      "",
      "hottest experts, layer/expert and rows",
      "3/7 1.5k",
    ]);
  });

  it("says so while no scheduler was heard of, and leaves out what there is none of", () => {
    expect(topPage(create(ClusterStateSchema))).toEqual(["The router has not heard of a leading scheduler yet."]);
    const page = topPage(create(ClusterStateSchema, { modelId: "nano", schedulerId: "scheduler-1" }));
    expect(page).toEqual(["nano: NOT READY   0 workers, 0 routers   leader scheduler-1 at 0   expert map none"]);
  });

  it("shows the stripes that context workers hold among the KV", () => {
    const context = {
      workerId: "context-0",
      kvDtype: "f32",
      roles: [WorkerRole.CONTEXT],
      status: { ready: true, kvBytesUsed: 3n * GIB, kvBytesMax: 4n * GIB, globalKv: { referenced: 3n * GIB } },
    };
    const page = topPage(create(ClusterStateSchema, { schedulerId: "s", workers: [context] }));
    expect(page.find((line) => line.startsWith("context-0"))).toMatch(
      /^context-0 +f32 +3.0 GiB +4.0 GiB +3.0 GiB +0 B/,
    );
    expect(page.filter((line) => line.startsWith("context-0"))).toHaveLength(2);
  });

  it("shows how far draining workers are, and what memory forbids", () => {
    const worker = (workerId: string, drain: object) => ({ workerId, roles: [WorkerRole.EXPERTS], drain });
    const page = topPage(
      create(ClusterStateSchema, {
        schedulerId: "s",
        expertShortage: "the other expert workers lack memory",
        workers: [worker("a", {}), worker("b", { drained: true }), worker("c", { obstacle: "lack" })],
      }),
    );
    expect(page[1]).toBe("the other expert workers lack memory");
    expect(page.filter((line) => /^[abc] /.test(line)).map((line) => line.split(/ {2,}/)[1])).toEqual([
      "draining",
      "drained",
      "cannot drain",
    ]);
  });
});
