import { DroverError } from "@drover/core";
import { settled } from "@drover/testkit";
import { afterEach, describe, expect, it } from "vitest";
import {
  HELD_POLL_MS,
  HOLD_MS_MAX,
  LEASES_HELD_MAX,
  OVERTAKE_MS_MAX,
  REFUSED_PAUSE_MS,
  ROUTER_GONE_MS,
  UNREACHABLE_PAUSE_MS,
} from "../limits.ts";
import { job } from "../testing/fake-queue.ts";
import { type Answer, idleStatus, member, PlacementScene } from "../testing/placement-scene.ts";

let scene = new PlacementScene();
afterEach(async () => {
  await scene.stop();
  expect(scene.queue.heldCount).toBe(0);
  scene = new PlacementScene();
});

describe("LanePlacer", () => {
  it("a job leaves the queue when a worker has accepted it, and no sooner", async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    scene.answer = () => promise;
    scene.start();
    scene.queue.add(job("one", { attemptBase: 3000 }));
    await settled();
    expect(scene.placed).toEqual(["one on a as 3000"]);
    expect(scene.queue.ended).toEqual([]);
    resolve(undefined);
    await settled();
    expect(scene.queue.ended).toEqual(["one complete"]);
    expect(await scene.count("drover_scheduler_placements_total", 'lane="short"')).toBe(1);
  });

  it("a job whose worker is found frozen before it answers goes elsewhere at once, under a newer number", async () => {
    scene.members = [member("a"), member("b", { runningCount: 2 })];
    scene.answer = (worker) =>
      worker === "b"
        ? undefined
        : new Promise((resolve) => {
            const gone = new DroverError("cancelled", "the call was ended");
            scene.frozen.get(worker)?.signal.addEventListener("abort", () => resolve(gone));
          });
    scene.start();
    scene.queue.add(job("one"));
    await settled();
    scene.members = [{ ...member("a"), suspected: true, frozen: true }, member("b")];
    scene.frozen.get("a")?.abort();
    await scene.clock.advance(HELD_POLL_MS);
    expect(scene.placed).toEqual(["one on a as 0", "one on b as 1"]);
  });

  it("while no worker has room, only the first job is taken, and nothing while there is no worker", async () => {
    scene.members = [];
    scene.start();
    scene.queue.add(job("one"), job("two"));
    await scene.clock.advance(1000);
    expect(scene.queue.takeCount).toBe(0);
    scene.members = [member("a", { kvBytesUsed: 10_000 })];
    await scene.clock.advance(1000);
    expect(scene.queue.takeCount).toBe(1);
    scene.members = [member("a")];
    await scene.clock.advance(1000);
    expect(scene.queue.ended).toEqual(["one complete", "two complete"]);
  });

  it("bytes of accepted placements count until a status shows them", async () => {
    scene.start();
    scene.queue.add(...["one", "two", "three"].map((id) => job(id, { promptTokenCount: 490 })));
    await settled();
    expect(scene.queue.ended).toEqual(["one complete", "two complete"]);
    await scene.clock.advance(500);
    scene.capacities.observe([{ kind: "status", member: member("a") }], scene.clock.monotonic());
    await scene.clock.advance(500);
    expect(scene.queue.ended).toEqual(["one complete", "two complete", "three complete"]);
  });

  it("what finds no room is overtaken by a bounded number, given back after a while, and not overtaken for ever", async () => {
    scene.members = [member("a", { kvBytesUsed: 5000 })];
    scene.start();
    scene.queue.add(job("large", { promptTokenCount: 900 }), job("small"));
    await settled();
    expect(scene.queue.ended).toEqual(["small complete"]);
    await scene.clock.advance(HOLD_MS_MAX);
    expect(scene.queue.ended).toEqual(["small complete", "large release unused"]);
    await scene.clock.advance(OVERTAKE_MS_MAX);
    scene.queue.add(job("late"));
    await scene.clock.advance(HOLD_MS_MAX);
    expect(scene.placed).toEqual(["small on a as 0"]);
    scene.members = [member("a")];
    await scene.clock.advance(1000);
    expect(scene.placed).toEqual(["small on a as 0", "large on a as 0", "late on a as 0"]);
  });

  it("holds a bounded number of leases", async () => {
    scene.members = [member("a", { kvBytesUsed: 9000 })];
    const placer = scene.start();
    const many = Array.from({ length: 3 * LEASES_HELD_MAX }, (_, i) => job(`large-${i}`, { promptTokenCount: 900 }));
    scene.queue.add(...many);
    await settled();
    expect(placer.heldCount).toBe(LEASES_HELD_MAX);
    await scene.stop();
    expect(scene.queue.waiting.short.map((entry) => entry.job)).toEqual(many);
  });

  it("a long lane that waits never holds up the short one", async () => {
    scene.members = [member("a", { kvBytesUsed: 5000 })];
    scene.start("long");
    scene.start("short");
    scene.queue.add(...Array.from({ length: 40 }, (_, i) => job(`l${i}`, { lane: "long", promptTokenCount: 900 })));
    await settled();
    scene.queue.add(job("short"));
    await settled();
    expect(scene.placed).toEqual(["short on a as 0"]);
  });

  it("a steady load of short prompts on the only worker does not keep a long one waiting for ever", async () => {
    // Every short request stays for 2 s, and there are always more: without a claim the worker would be full for ever.
    const running: { bytes: number; untilMs: number }[] = [];
    const placedAtMs = new Map<string, number>();
    scene.answer = (_, { payload }) => {
      const id = new TextDecoder().decode(payload);
      const now = scene.clock.monotonic();
      running.push({ bytes: id.startsWith("long") ? 9000 : 1200, untilMs: now + 2000 });
      placedAtMs.set(id, now);
      return undefined;
    };
    scene.start("short");
    scene.start("long");
    const beganAtMs = scene.clock.monotonic();
    scene.queue.add(job("long", { lane: "long", promptTokenCount: 890 }));
    for (let i = 0; i < 300; i++) {
      scene.queue.add(job(`short-${i}`, { promptTokenCount: 110 }));
      await scene.clock.advance(150);
      const now = scene.clock.monotonic();
      while (running[0] !== undefined && running[0].untilMs <= now) running.shift();
      const kvBytesUsed = running.reduce((sum, { bytes }) => sum + bytes, 0);
      scene.members = [member("a", { kvBytesUsed, runningCount: running.length })];
      scene.capacities.observe([{ kind: "status", member: member("a") }], now);
    }
    const waitedMs = (placedAtMs.get("long") ?? Number.POSITIVE_INFINITY) - beganAtMs;
    expect(waitedMs).toBeGreaterThanOrEqual(OVERTAKE_MS_MAX);
    expect(waitedMs).toBeLessThan(OVERTAKE_MS_MAX + 2000 + 3 * HOLD_MS_MAX);
    // The short ones went on before and after it.
    const after = [...placedAtMs].filter(([id, ms]) => id !== "long" && ms - beganAtMs > waitedMs + 2000);
    expect(after.length).toBeGreaterThan(50);
    expect(scene.decisions.of("long").map(({ kind, outcome }) => `${kind} ${outcome ?? ""}`)).toEqual([
      "wait ",
      "worker accepted",
    ]);
  });

  it("a long prompt that waits behind another long one never keeps short ones out", async () => {
    const large = { kvBytesMax: 1e9, contextTokensMax: 1e6, costs: { ...idleStatus.costs, promptRowMs: 10 } };
    scene.members = [member("a", { ...large, pendingPromptMs: [3_600_000] })];
    const placer = scene.start("long");
    scene.start("short");
    scene.queue.add(job("long", { lane: "long", promptTokenCount: 100_000 }));
    for (let i = 0; i < 20; i++) {
      scene.queue.add(job(`short-${i}`));
      await scene.clock.advance(1000);
      scene.capacities.observe([{ kind: "status", member: member("a") }], scene.clock.monotonic());
    }
    expect(scene.placed).toHaveLength(20);
    expect(placer.heldCount).toBe(1);
  });

  it("a worker that has no room after all is passed by: the same attempt goes to another", async () => {
    scene.members = [member("a"), member("b", { runningCount: 5 })];
    scene.answer = (worker) => (worker === "a" ? { code: "overloaded", message: "full" } : undefined);
    scene.start();
    scene.queue.add(job("one"));
    await settled();
    expect(scene.placed).toEqual(["one on a as 0", "one on b as 0"]);
    expect(scene.queue.ended).toEqual(["one complete"]);
    expect(await scene.count("drover_scheduler_refusals_total", 'code="overloaded"')).toBe(1);
  });

  it.each([
    ["cancelled", "cancelled"],
    ["deadline_exceeded", "expired"],
    ["internal", "refused_forever"],
  ] as const)(
    "a job that its worker refuses as %s is over: dropped at the first refusal, and nobody is paused",
    async (code, reason) => {
      scene.answer = (_, { payload }) =>
        new TextDecoder().decode(payload) === "over" ? { code, message: "it is over" } : undefined;
      scene.start();
      scene.queue.add(job("over"), job("next"));
      await settled();
      expect(scene.placed).toEqual(["over on a as 0", "next on a as 0"]);
      expect(scene.queue.ended.toSorted()).toEqual(["next complete", "over complete"]);
      expect(await scene.count("drover_scheduler_dropped_total", `reason="${reason}"`)).toBe(1);
      expect(await scene.count("drover_scheduler_refusals_total", `code="${code}"`)).toBe(0);
    },
  );

  it.each(["overloaded", "unavailable", "stale_epoch", "not_leader"] as const)(
    "a worker that answers %s lives: it is asked again as soon as one without room",
    async (code) => {
      let refusals = 1;
      scene.answer = () => (refusals-- > 0 ? { code, message: "not now" } : undefined);
      scene.start();
      scene.queue.add(job("one"));
      await settled();
      expect(scene.queue.ended).toEqual([]);
      await scene.clock.advance(REFUSED_PAUSE_MS + HELD_POLL_MS);
      expect(scene.queue.ended).toEqual(["one complete"]);
    },
  );

  it("a placement without a reply uses its attempt up: the next one is newer, and goes elsewhere", async () => {
    scene.members = [member("a"), member("b", { runningCount: 5 })];
    scene.answer = (worker) => (worker === "a" ? new DroverError("deadline_exceeded", "late") : undefined);
    scene.start();
    scene.queue.add(job("one"));
    await settled();
    expect(scene.placed).toEqual(["one on a as 0", "one on b as 1"]);
    expect(scene.queue.ended).toEqual(["one release spent", "one complete"]);
    scene.queue.add(job("two"));
    await scene.clock.advance(UNREACHABLE_PAUSE_MS - 1);
    expect(scene.placed.at(-1)).toBe("two on b as 0");
  });

  it.each([
    ["cancelled", () => scene.queue.cancelled.add(job("one").requestId), {}],
    ["expired", () => undefined, { deadlineMs: 1 }],
    ["never_fits", () => undefined, { promptTokenCount: 5000 }],
    ["payload_missing", () => undefined, { payload: { kind: "reference", key: "k", byteCount: 1 } as const }],
    [
      "refused_forever",
      () => {
        scene.answer = () => ({ code: "invalid_argument", message: "wrong" });
      },
      {},
    ],
  ])("a job that is %s is dropped and counted", async (reason, arrange, fields) => {
    arrange();
    scene.start();
    scene.queue.add(job("one", fields));
    await settled();
    expect(scene.queue.ended).toEqual(["one complete"]);
    expect(await scene.count("drover_scheduler_dropped_total", `reason="${reason}"`)).toBe(1);
    expect(await scene.count("drover_scheduler_placements_total", 'lane="short"')).toBe(0);
  });

  it("a job whose router is gone is dropped", async () => {
    scene.members = [member("a", { kvBytesUsed: 5000 })];
    scene.start();
    scene.queue.add(job("large", { promptTokenCount: 900 }));
    await scene.clock.advance(ROUTER_GONE_MS + HOLD_MS_MAX);
    expect(await scene.count("drover_scheduler_dropped_total", 'reason="router_gone"')).toBe(1);
    expect(scene.placed).toEqual([]);
  });

  it("a payload by reference is handed over as it is stored", async () => {
    scene.queue.payloads.set("key", new TextEncoder().encode("large payload"));
    scene.start();
    scene.queue.add(job("one", { payload: { kind: "reference", key: "key", byteCount: 13 } }));
    await settled();
    expect(scene.placed).toEqual(["large payload on a as 0"]);
  });

  it("a queue that cannot be reached is asked again, and nothing is lost", async () => {
    scene.queue.failing = true;
    scene.start();
    scene.queue.add(job("one"));
    await scene.clock.advance(2000);
    expect(scene.placed).toEqual([]);
    scene.queue.failing = false;
    await scene.clock.advance(2000);
    expect(scene.queue.ended).toEqual(["one complete"]);
  });

  it("when it ends, nothing new is placed, what is held goes back, and a placement under way still counts", async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    scene.answer = () => promise;
    scene.members = [member("a", { kvBytesUsed: 5000 })];
    scene.start();
    scene.queue.add(job("one"), job("large", { promptTokenCount: 900 }));
    await settled();
    const stopped = scene.stop();
    scene.queue.add(job("late"));
    await settled();
    expect(scene.queue.ended).toEqual(["large release unused"]);
    resolve(undefined);
    await stopped;
    expect(scene.queue.ended).toEqual(["large release unused", "one complete"]);
    expect(scene.placed).toEqual(["one on a as 0"]);
  });
});
