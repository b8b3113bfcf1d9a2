import { modelId, NO_COSTS, routerId, workerId } from "@drover/core";
import type { DrainState } from "@drover/fleet";
import { clusterStateOf, type WorkerFacts } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { topPage } from "./top-page.ts";

const GIB = 2 ** 30;

const experts = new Map();
const state = clusterStateOf({
  modelId: "maverick",
  ready: true,
  schedulerId: "scheduler-0123456789",
  leaderEpoch: 7n,
  expertMap: { modelId: modelId("maverick"), epoch: 12n, complete: true, holders: [], experts },
  routerIds: [routerId("r")],
  lanes: [{ lane: "long", waitingCount: 2, oldestAgeMs: 61_000, predictedWaitMs: 90_000, waitMsPerJob: 4500 }],
  workers: [
    {
      workerId: "attention-0",
      roles: ["attention", "vision"],
      predictedPrefix: { promptTokenCount: 1000, cachedTokenCount: 500 },
      indexedBlockCount: 16_384,
      kvDtype: "int8",
      status: {
        ready: true,
        runningCount: 3,
        kvBytesUsed: 60 * GIB,
        kvBytesMax: 80 * GIB,
        costs: { ...NO_COSTS, promptRowMs: 0.25, decodeMs: 10, stepMsMax: 40 },
        pendingPromptMs: [500, 1000],
        globalKv: { referenced: 49 * GIB, cached: 10 * GIB },
        localKv: { referenced: GIB, cached: 0 },
        prefix: { promptTokenCount: 1000, cachedTokenCount: 480 },
        hottest: [{ layer: 3, expert: 7, rowCount: 1500 }],
        slowPeers: [{ workerId: workerId("experts-1"), slowness: 4.24, isSilent: false }],
      },
    },
    {
      workerId: "experts-0",
      roles: ["experts"],
      expertCount: 64,
      status: { ready: true, expertRowCount: 30 },
    },
    {
      workerId: "experts-1",
      roles: ["experts"],
      expertCount: 64,
      status: { expertRowCount: 10 },
      silentMs: 4000,
    },
  ],
});

describe("topPage", () => {
  it("shows the cluster, its lanes, its KV by kind, hits as predicted and as they were, and where experts are hot", () => {
    expect(topPage(state, new Map([["attention-0", 123.4]]))).toEqual([
      "maverick: ready   3 workers, 1 router   123 tokens/s   leader scheduler-01234567   expert map complete",
      "",
      "lane  waiting  oldest  predicted wait  each",
      "long        2  1 min   2 min           4.5 s",
      "",
      "decoding     state  roles             running  waiting  tokens/s  prompts  of a step  row ms",
      "attention-0  ready  attention+vision        3        0       123  1.5 s    25%          0.25",
      "",
      "KV           as    used      of        global    cached    local    cached  blocks  hits  predicted",
      "attention-0  int8  60.0 GiB  80.0 GiB  49.0 GiB  10.0 GiB  1.0 GiB  0 B     16.4k   48%   50%",
      "",
      "experts    state         roles    held  rows  of all  pace",
      "experts-0  ready         experts    64    30  75%",
      "experts-1  silent 4.0 s  experts    64    10  25%     4.2x as long",
      "",
      "hottest experts, layer/expert and rows",
      "3/7 1.5k",
    ]);
  });

  it("says so while no scheduler was heard of, and leaves out what there is none of", () => {
    expect(topPage(undefined)).toEqual(["The router has not heard of a leading scheduler yet."]);
    const page = topPage(clusterStateOf({ modelId: "nano", schedulerId: "scheduler-1", leaderEpoch: 0n }));
    expect(page).toEqual(["nano: NOT READY   0 workers, 0 routers   leader scheduler-1   expert map incomplete"]);
  });

  it("shows what a card's memory is used for, what its steps come to, and how rows leave it; of workers on CPUs nothing", () => {
    const card = {
      ...{ device: "cuda:1", weights: 60 * GIB, kv: 80 * GIB, activations: GIB, exchange: GIB / 2 },
      ...{ unused: GIB / 4, other: GIB / 4, free: 3 * GIB },
    };
    const workers: WorkerFacts[] = [
      { workerId: "a", roles: ["attention"], expertCount: 768, status: { card, frames: { sharedMemory: 3, grpc: 1 } } },
      { workerId: "b", roles: ["experts"], expertCount: 64, status: { card: { ...card, device: "cuda:2" } } },
      { workerId: "c", roles: ["experts"] },
    ];
    const rates = new Map([["a", { stepsPerSecond: 220.4, computing: 0.934 }]]);
    const page = topPage(clusterStateOf({ workers }), new Map(), rates);
    const from = page.findIndex((line) => line.startsWith("cards"));
    expect(page.slice(from, from + 4)).toEqual([
      "cards  device  weights   KV        steps    exchange  other    free     experts  steps/s  computing  rows by memory",
      "a      cuda:1  60.0 GiB  80.0 GiB  1.0 GiB  512 MiB   512 MiB  3.0 GiB      768  220      93%        75%",
      "b      cuda:2  60.0 GiB  80.0 GiB  1.0 GiB  512 MiB   512 MiB  3.0 GiB       64  -        -          -",
      "",
    ]);
  });

  it("shows the stripes that context workers hold among the KV", () => {
    const context: WorkerFacts = {
      workerId: "context-0",
      kvDtype: "f32",
      roles: ["context"],
      status: { ready: true, kvBytesUsed: 3 * GIB, kvBytesMax: 4 * GIB, globalKv: { referenced: 3 * GIB, cached: 0 } },
    };
    const page = topPage(clusterStateOf({ workers: [context] }));
    expect(page.find((line) => line.startsWith("context-0"))).toMatch(
      /^context-0 +f32 +3.0 GiB +4.0 GiB +3.0 GiB +0 B/,
    );
    expect(page.filter((line) => line.startsWith("context-0"))).toHaveLength(2);
  });

  it("names workers that are frozen, and those whose experts do not answer, by whoever finds it worst", () => {
    const finds = (isSilent: boolean, slowness: number) => ({
      roles: ["attention"] as const,
      status: { slowPeers: [{ workerId: workerId("e"), slowness, isSilent }] },
    });
    const workers: WorkerFacts[] = [
      { workerId: "a", ...finds(true, 1) },
      { workerId: "b", ...finds(false, 9), frozen: true },
      { workerId: "e", roles: ["experts"] },
    ];
    const cells = topPage(clusterStateOf({ workers })).map((line) => line.split(/ {2,}/));
    expect(cells.find(([name]) => name === "e")?.at(-1)).toBe("silent");
    expect(cells.find(([name]) => name === "b")?.[1]).toBe("frozen");
  });

  it("shows how far draining workers are, and what memory forbids", () => {
    const none = { drained: false, expertsDrained: false, obstacle: undefined, expertCount: 0, requestCount: 0 };
    const worker = (workerId: string, drain: Partial<DrainState>): WorkerFacts => ({
      workerId,
      roles: ["experts"],
      drain: { ...none, ...drain },
    });
    const page = topPage(
      clusterStateOf({
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
