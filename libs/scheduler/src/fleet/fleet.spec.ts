import { DroverError, type KvDtype, modelId, silentLogger, type WorkerRole, workerId } from "@drover/core";
import { firstMapEpoch, GONE_AFTER_MS, MOVED_EXPERT_KEPT_MS, NO_STATUS, REJOIN_WAIT_MS } from "@drover/fleet";
import type { JoinHello, WorkerOrder, WorkerReport } from "@drover/wire";
import { describe, expect, it } from "vitest";
import { Fleet } from "./fleet.ts";
import type { OrderSink } from "./join-streams.ts";
import { PrefixDirectory } from "./prefix-directory.ts";

type HelloFields = Readonly<{
  incarnation?: string;
  model?: string;
  roles?: readonly WorkerRole[];
  fingerprint?: string;
  expertCount?: number;
  expertCountMax?: number;
  kvDtype?: KvDtype;
}>;

const hello = (id: string, fields: HelloFields = {}): JoinHello => {
  const { incarnation = "life-1", model = "nano", roles = ["experts"], fingerprint = "f", expertCount = 4 } = fields;
  const { expertCountMax, kvDtype } = fields;
  return {
    profile: {
      workerId: workerId(id),
      incarnation,
      modelId: modelId(model),
      roles,
      address: `${id}:1`,
      adminAddress: "",
      ...(expertCountMax !== undefined && { expertCountMax }),
      ...(kvDtype !== undefined && { kvDtype }),
    },
    checkpoint: { fingerprint, moeLayers: [1], expertCount, chunkTokens: 256 },
  };
};

const loaded = (...experts: number[]): WorkerReport => ({ kind: "loaded", experts: new Map([[1, new Set(experts)]]) });

class Sink implements OrderSink {
  readonly orders: WorkerOrder[] = [];
  endedBy: DroverError | undefined;

  send(order: WorkerOrder): void {
    this.orders.push(order);
  }

  end(error: DroverError): void {
    this.endedBy = error;
  }

  get told(): readonly string[] {
    return this.orders.map((order) => {
      if (order.kind === "set_experts")
        return `set ${[...order.experts.values()].map((l) => [...l].join(" ")).join("|")}`;
      if (order.kind === "expert_map") return `map ${order.map.complete ? "complete" : "incomplete"}`;
      if (order.kind === "context_workers")
        return `context ${order.workers.map((w) => (w.draining ? `(${w.workerId})` : w.workerId)).join(" ")}`;
      if (order.kind === "set_drain") return order.wanted ? "drain" : "serve";
      if (order.kind === "drain_state") {
        const { drained, expertCount, obstacle } = order.state;
        return drained ? "drained" : `${expertCount} experts${obstacle === undefined ? "" : `: ${obstacle}`}`;
      }
      return `accepted ${order.kind === "accepted" ? order.leaderEpoch : "?"}`;
    });
  }
}

const fleet = (expectExperts = 1, changed: (kinds: readonly string[]) => void = () => undefined) =>
  new Fleet({
    modelId: modelId("nano"),
    schedulerId: "scheduler-1",
    leaderEpoch: 7n,
    expectExperts,
    prefixes: new PrefixDirectory(),
    logger: silentLogger,
    onChange: (changes) => changed(changes.map((change) => change.kind)),
  });

const status = (draining: boolean): WorkerReport => ({
  kind: "status",
  status: { ...NO_STATUS, ready: false, draining },
});

describe("Fleet", () => {
  it("accepts with the leader's epoch, tells expert workers their share, and attention workers the map once it is complete", () => {
    const one = fleet(2);
    const [a, b, attention] = [new Sink(), new Sink(), new Sink()];
    one.join(hello("attention", { roles: ["attention"] }), attention, 0);
    const sessionA = one.join(hello("a"), a, 0);
    const sessionB = one.join(hello("b"), b, 0);
    one.report(sessionA, loaded(), 1);
    expect(a.told).toEqual(["accepted 7"]);
    one.report(sessionB, loaded(), 2);
    expect(a.told).toEqual(["accepted 7", "set 0 1"]);
    expect(b.told).toEqual(["accepted 7", "set 2 3"]);
    one.report(sessionA, loaded(0, 1), 3);
    expect(attention.told).toEqual(["accepted 7"]);
    one.report(sessionB, loaded(2, 3), 4);
    expect(attention.told).toEqual(["accepted 7", "map complete"]);
    expect(a.told).toHaveLength(2);
    one.end(sessionB, 5);
    expect(attention.told).toEqual(["accepted 7", "map complete", "map incomplete"]);
    expect(one.expertMap.epoch).toBe(firstMapEpoch(7n) + 3n);
  });

  it("an attention worker that joins later gets the map with its acceptance", () => {
    const one = fleet();
    const session = one.join(hello("a"), new Sink(), 0);
    one.report(session, loaded(), 1);
    one.report(session, loaded(0, 1, 2, 3), 2);
    const both = new Sink();
    one.join(hello("b", { roles: ["attention"] }), both, 3);
    expect(both.told).toEqual(["accepted 7", "map complete"]);
    const order = both.orders[1];
    expect(order?.kind === "expert_map" && order.map.holders.map((h) => h.address)).toEqual(["a:1"]);
  });

  it("attention workers are told of all context workers when they join, and when one of these comes or goes", () => {
    const one = fleet();
    const [early, late] = [new Sink(), new Sink()];
    const role = (...roles: WorkerRole[]) => ({ roles });
    one.join(hello("early", role("attention")), early, 0);
    const session = one.join(hello("a", role("context")), new Sink(), 1);
    one.join(hello("b", role("context")), new Sink(), 2);
    one.join(hello("late", role("attention")), late, 3);
    one.end(session, 4);
    one.tick(4 + GONE_AFTER_MS);
    expect(early.told.slice(0, 4)).toEqual(["accepted 7", "context a", "context a b", "context b"]);
    expect(late.told.slice(0, 3)).toEqual(["accepted 7", "context a b", "context b"]);
  });

  it("attention workers are told when a context worker drains, and when it does not any more", () => {
    const one = fleet();
    const attention = new Sink();
    one.join(hello("attention", { roles: ["attention"] }), attention, 0);
    const session = one.join(hello("a", { roles: ["context"] }), new Sink(), 1);
    for (const draining of [true, true, false]) one.report(session, status(draining), 2);
    expect(attention.told.slice(1)).toEqual(["context a", "context (a)", "context a"]);
  });

  const asked = (workerId: string, { undo = false, incarnation }: { undo?: boolean; incarnation?: string } = {}) => ({
    workerId,
    undo,
    incarnation,
  });

  it("a worker that is asked to drain is told when others answer for its experts, and is taken back when asked", () => {
    const one = fleet(2);
    const [a, b] = [new Sink(), new Sink()];
    const [sessionA, sessionB] = [one.join(hello("a"), a, 0), one.join(hello("b"), b, 0)];
    one.report(sessionA, loaded(), 1);
    one.report(sessionB, loaded(), 1);
    one.report(sessionA, loaded(0, 1), 2);
    one.report(sessionB, loaded(2, 3), 2);
    expect(one.drain(asked("b"))).toMatchObject({ draining: false, incarnation: "life-1" });
    one.drain(asked("a", { incarnation: "life-0" }));
    one.report(sessionB, status(true), 3);
    expect(one.drain(asked("b"))).toMatchObject({ draining: true, state: { drained: false, expertCount: 2 } });
    expect(a.told.slice(1)).toEqual(["set 0 1", "set 0 1 2 3"]);
    one.report(sessionA, loaded(0, 1, 2, 3), 4);
    expect(one.expertMap.complete).toBe(true);
    one.tick(4 + MOVED_EXPERT_KEPT_MS);
    one.report(sessionB, loaded(), 5 + MOVED_EXPERT_KEPT_MS);
    expect(b.told.slice(1)).toEqual(["set 2 3", "drain", "2 experts", "set ", "drained"]);
    expect(one.drain(asked("b", { undo: true }))).toMatchObject({ draining: true });
    one.report(sessionB, status(false), 6 + MOVED_EXPERT_KEPT_MS);
    expect(b.told.slice(-2)).toEqual(["serve", "set 2 3"]);
    expect(() => one.drain(asked("c"))).toThrowError(
      expect.objectContaining({ code: "not_found", message: expect.stringContaining("a, b") }),
    );
  });

  it("a drain is taken back though its worker has not said yet that it drains, again on its next stream, and not of its next life", () => {
    const one = fleet();
    const [first, again, anew] = [new Sink(), new Sink(), new Sink()];
    const session = one.join(hello("a"), first, 0);
    one.report(session, status(false), 1);
    for (const undo of [false, true]) one.drain(asked("a", { undo }));
    expect(first.told.slice(1)).toEqual(["drain", "serve"]);
    // The first order has reached it, and the second one has not.
    const next = one.join(hello("a"), again, 3);
    for (const draining of [true, true, false]) one.report(next, status(draining), 4);
    expect(again.told.filter((line) => line === "serve")).toHaveLength(2);
    one.report(one.join(hello("a", { incarnation: "life-2" }), anew, 7), status(true), 8);
    expect(anew.told).not.toContain("serve");
  });

  it("a worker whose experts fit nowhere else is told why, and the state says it too", () => {
    const one = fleet(2);
    const [a, b] = [new Sink(), new Sink()];
    const [sessionA, sessionB] = [one.join(hello("a", { expertCountMax: 3 }), a, 0), one.join(hello("b"), b, 0)];
    one.report(sessionA, loaded(0, 1), 1);
    one.report(sessionB, loaded(2, 3), 2);
    one.report(sessionB, status(true), 3);
    expect(b.told.at(-1)).toMatch(/2 experts: the other expert workers lack memory for 1 more experts/);
    expect(one.expertShortage).toMatch(/the experts of b stay there/);
    expect(one.expertMap.complete).toBe(true);
    expect(a.told.filter((line) => line.startsWith("set"))).toEqual(["set 0 1"]);
  });

  it("a new leader goes on with a drain that the worker itself remembers", () => {
    const one = fleet(1);
    const [a, b] = [new Sink(), new Sink()];
    const sessionB = one.join(hello("b"), b, 0);
    one.report(sessionB, loaded(0, 1, 2, 3), 1);
    one.report(sessionB, status(true), 1);
    const sessionA = one.join(hello("a"), a, 2);
    one.report(sessionA, loaded(), 3);
    one.tick(REJOIN_WAIT_MS);
    expect(a.told.at(-1)).toBe("set 0 1 2 3");
  });

  it("an incomplete map goes out once workers had the time to come back", () => {
    const one = fleet();
    const attention = new Sink();
    one.join(hello("attention", { roles: ["attention"] }), attention, 0);
    const session = one.join(hello("a"), new Sink(), 0);
    one.report(session, loaded(0), 1);
    expect(attention.told).toEqual(["accepted 7"]);
    one.publish();
    one.publish();
    expect(attention.told).toEqual(["accepted 7", "map incomplete"]);
  });

  it.each<[string, HelloFields]>([
    ["model_id", { model: "scout" }],
    ["model_fingerprint", { fingerprint: "other" }],
    ["model_fingerprint", { expertCount: 5 }],
    ["kv_dtype", { kvDtype: "f32" }],
  ])("refuses a worker whose %s does not agree, and keeps the others", (field, fields) => {
    const one = fleet();
    one.join(hello("a", { kvDtype: "int8" }), new Sink(), 0);
    expect(() => one.join(hello("b", fields), new Sink(), 0)).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
    expect(one.members.map((member) => member.profile.workerId)).toEqual(["a"]);
  });

  it("lets a worker come back with KV of another type where nobody else keeps any", () => {
    const one = fleet();
    one.join(hello("a", { kvDtype: "int8" }), new Sink(), 0);
    one.join(hello("experts"), new Sink(), 0);
    one.join(hello("a", { kvDtype: "f32", incarnation: "life-2" }), new Sink(), 1);
    expect(one.members).toHaveLength(2);
  });

  it("takes another checkpoint once nobody serves the last one, and epochs go on rising", () => {
    const one = fleet();
    const session = one.join(hello("a"), new Sink(), 0);
    one.report(session, loaded(0, 1, 2, 3), 1);
    one.end(session, 2);
    const epoch = one.expertMap.epoch;
    const other = one.join(hello("a", { fingerprint: "other", expertCount: 2 }), new Sink(), 3);
    one.report(other, loaded(0, 1), 4);
    expect(one.expertMap.epoch).toBeGreaterThan(epoch);
    expect(one.expertMap.complete).toBe(true);
  });

  it("ends the streams of the replaced and the silent, and of nobody else", () => {
    const one = fleet();
    const [first, second, other] = [new Sink(), new Sink(), new Sink()];
    one.join(hello("a"), first, 0);
    one.join(hello("a", { incarnation: "life-2" }), second, 1);
    const session = one.join(hello("b"), other, 1);
    expect(first.endedBy?.code).toBe("stale_epoch");
    one.report(session, loaded(), GONE_AFTER_MS);
    one.tick(1 + GONE_AFTER_MS);
    expect(second.endedBy?.code).toBe("unavailable");
    expect(other.endedBy).toBeUndefined();
  });

  it("once it is closed, all streams end and nothing that follows is a change", () => {
    const changes: string[] = [];
    const one = fleet(1, (kinds) => changes.push(...kinds));
    const sink = new Sink();
    const session = one.join(hello("a"), sink, 0);
    changes.length = 0;
    one.close(new DroverError("not_leader", "over"));
    expect(sink.endedBy?.code).toBe("not_leader");
    one.end(session, 1);
    one.tick(GONE_AFTER_MS);
    expect(changes).toEqual([]);
  });

  it("refuses a second hello", () => {
    const one = fleet();
    const session = one.join(hello("a"), new Sink(), 0);
    expect(() => one.report(session, { kind: "hello", hello: hello("a") }, 1)).toThrowError(
      expect.objectContaining({ code: "invalid_argument" }),
    );
  });
});
