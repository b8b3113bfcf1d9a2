import { neverAborted, workerId } from "@drover/core";
import { createServer, expertService, listen, PROTOCOL, type Protocol, shutDown } from "@drover/rpc";
import { clusterStateOf } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { judgeSkew } from "./clock-check.ts";
import { checkCluster, checkSchedulers } from "./cluster-check.ts";
import { doctorReport } from "./doctor-report.ts";
import { exitStatus, type Finding, Findings } from "./finding.ts";
import { judgeMachine } from "./machine-check.ts";
import type { MachineFacts } from "./machine-facts.ts";
import { judgeRedis } from "./redis-check.ts";
import type { RedisFacts } from "./redis-facts.ts";

const goodRedis: RedisFacts = {
  version: "7.4.1",
  role: "master",
  policy: "noeviction",
  appendOnly: "yes",
  appendFsync: "everysec",
  aofWriteStatus: "ok",
  rdbStatus: "ok",
  usedBytes: 10 * 2 ** 20,
  maxBytes: 0,
  timeMs: 1_000_000,
  askedAtMs: 1_000_000,
  pingMs: 0.3,
};

const goodMachine: MachineFacts = {
  nodeVersion: "24.1.0",
  openFilesMax: 65_536,
  threadsMax: 4096,
  memoryBytes: 64 * 2 ** 30,
  memoryLimitBytes: undefined,
  cpuLimit: undefined,
  cpuCount: 8,
  tmpDirectory: "/tmp",
  tmpBytesFree: 2 ** 33,
};

/** `check state` of what is not well. */
const bad = (findings: readonly Finding[]) =>
  findings.filter(({ state }) => state !== "ok").map(({ check, state }) => `${check} ${state}`);

const machine = (facts: Partial<MachineFacts>, neededBytes?: number) => {
  const findings = new Findings("machine");
  judgeMachine({ ...goodMachine, ...facts }, neededBytes, findings);
  return bad(findings.all);
};

describe("doctor finds a planted fault, and only that one", () => {
  it.each<[Partial<RedisFacts>, string[]]>([
    [{}, []],
    [{ version: "5.0.14" }, ["version fail"]],
    [{ version: "6.2.0" }, []],
    [{ role: "slave" }, ["role fail"]],
    [{ policy: "allkeys-lru" }, ["maxmemory-policy fail"]],
    [{ policy: undefined }, ["maxmemory-policy warn"]],
    [{ appendOnly: "no" }, ["persistence warn"]],
    [{ appendFsync: "no" }, ["persistence warn"]],
    [{ aofWriteStatus: "err" }, ["disk fail"]],
    [{ usedBytes: 90, maxBytes: 100 }, ["memory warn"]],
    [{ pingMs: 25 }, ["latency warn"]],
    [{ timeMs: 1_002_000 }, ["clock warn"]],
    [{ timeMs: 940_000 }, ["clock fail"]],
  ])("in Redis: %o", (fault, expected) => {
    expect(bad(judgeRedis({ ...goodRedis, ...fault }))).toEqual(expected);
  });

  it.each<[Partial<MachineFacts>, string[]]>([
    [{}, []],
    [{ nodeVersion: "18.20.1" }, ["Node fail"]],
    [{ openFilesMax: 1024 }, ["open files warn"]],
    [{ threadsMax: 64 }, ["threads warn"]],
    [{ memoryLimitBytes: 2 ** 30 }, ["memory warn"]],
    [{ cpuLimit: 0.5 }, ["CPUs warn"]],
    [{ tmpBytesFree: 2 ** 20 }, ["temporary folder warn"]],
    [{ tmpBytesFree: undefined }, ["temporary folder fail"]],
  ])("on the machine: %o", (fault, expected) => {
    expect(machine(fault, 4 * 2 ** 30)).toEqual(expected);
  });

  it("in a clock, within what its measure may be wrong by", () => {
    const skew = (aheadMs: number) => {
      const findings = new Findings("clock");
      judgeSkew(findings, aheadMs, 1000);
      return findings.all[0]?.state;
    };
    expect([0, -1400, 1600, -20_000].map(skew)).toEqual(["ok", "ok", "warn", "fail"]);
    const near = new Findings("clock");
    judgeSkew(near, -649, 1000);
    judgeSkew(near, -1649, 1000);
    expect(near.all.map(({ found }) => found)).toEqual([
      "within 1000 ms of this machine's, as near as can be told",
      "1649 ms behind this machine",
    ]);
  });

  it("at a peer that is dead, one of another version, and one whose clock is wrong", async () => {
    const expert = { hiddenSize: 4, has: () => false, run: () => undefined };
    const serve = async (protocol: Protocol) => {
      const server = createServer({ protocol });
      server.addService(...expertService(expert));
      return { server, address: `127.0.0.1:${await listen(server, "127.0.0.1:0")}` };
    };
    const same = await serve(PROTOCOL);
    const newer = await serve({ version: PROTOCOL.version + 1, oldest: PROTOCOL.version + 1 });
    const gone = await serve(PROTOCOL);
    await shutDown(gone.server, 0);
    const nowMs = Date.now();
    const worker = (workerId: string, address: string, sentAtMs: number) => ({
      workerId,
      address,
      adminAddress: "127.0.0.1:1",
      roles: ["experts"] as const,
      status: { ready: true, sentAtMs },
    });
    const slowPeers = [
      { workerId: workerId("gone"), slowness: 1, isSilent: true },
      { workerId: workerId("skewed"), slowness: 4, isSilent: false },
    ];
    const state = clusterStateOf({
      ready: true,
      expertMap: { ...clusterStateOf().expertMap, complete: true },
      workers: [
        { ...worker("same", same.address, nowMs), status: { ready: true, sentAtMs: nowMs, slowPeers } },
        worker("newer", newer.address, nowMs),
        worker("gone", gone.address, nowMs),
        worker("skewed", same.address, nowMs - 60_000),
      ],
    });
    const findings = await checkCluster(state, nowMs, neverAborted);
    const failed = findings.filter(({ state }) => state === "fail").map(({ subject, check }) => `${subject}: ${check}`);
    expect(failed).toEqual([
      "cluster: role attention",
      "worker newer: protocol",
      "worker gone: reachable",
      "worker skewed: clock",
    ]);
    const paces = findings.filter(({ check }) => check === "pace");
    expect(paces.map(({ subject, state, found }) => `${subject} ${state}: ${found}`)).toEqual([
      "worker gone warn: same gets no answer of its experts",
      "worker skewed warn: same waits 4.0 times as long for its experts as for those of others",
    ]);
    expect(bad(await checkSchedulers([gone.address], neverAborted))).toEqual(["reachable fail"]);
    for (const { server } of [same, newer]) server.forceShutdown();
  });

  it("at a router that has heard of no scheduler", async () => {
    expect(bad(await checkCluster(undefined, 0, neverAborted))).toEqual([
      "leader fail",
      "ready fail",
      "role attention fail",
      "role experts fail",
      "experts fail",
    ]);
  });

  it("and says it with what to do, and by its status", () => {
    const findings = [...judgeRedis({ ...goodRedis, policy: "volatile-lru" })];
    const report = doctorReport(findings);
    expect(report).toMatch(/FAIL {2}maxmemory-policy +volatile-lru/);
    expect(report).toContain("CONFIG SET maxmemory-policy noeviction");
    expect(report).toContain("1 failures");
    expect(exitStatus(findings)).toBe(2);
    expect(exitStatus(judgeRedis({ ...goodRedis, pingMs: 25 }))).toBe(1);
    expect(exitStatus(judgeRedis(goodRedis))).toBe(0);
  });
});
