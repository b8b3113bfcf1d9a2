import { at, DroverError } from "@drover/core";
import { SimClock } from "@drover/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StreamLimits } from "./limits.ts";
import { LivingStream } from "./living-stream.ts";
import { SimPeers } from "./testing/sim-peers.ts";

const LIMITS: StreamLimits = { waitMs: 100, waitMsMax: 1000, answerMsMax: 2000 };

type SceneOptions = Readonly<{ addresses?: readonly string[]; limits?: StreamLimits; chance?: () => number }>;

/** A stream that is up once its peer says "welcome", and what its owner was told. */
function scene({ addresses = ["a"], limits = LIMITS, chance = () => 0 }: SceneOptions = {}) {
  const clock = new SimClock();
  const peers = new SimPeers<string, string>(clock);
  const told: string[] = [];
  const ended = new AbortController();
  const stream: LivingStream<string, string> = new LivingStream<string, string>({
    addresses,
    open: peers.open,
    greeting: () => ["hello"],
    onMessage: (reply) => {
      if (reply === "welcome") stream.up();
      else if (reply === "noise") throw new DroverError("invalid_argument", "noise is no message");
      else told.push(reply);
    },
    onUp: (down, address) => {
      told.push(`up ${address}`);
      down.addEventListener("abort", () => told.push("over"));
    },
    onDown: (reason, address) => told.push(`down ${address}: ${reason}`),
    onAway: (reason, address) => told.push(`away ${address}: ${reason}`),
    limits,
    clock,
    chance,
  });
  return { clock, peers, told, ended, stream, running: stream.run(ended.signal) };
}

const end = (ended: AbortController) => ended.abort(new DroverError("cancelled", "over"));

describe("a living stream", () => {
  test("greets every peer first, is up when its owner says so, and writes then", async () => {
    const { clock, peers, told, stream } = scene();
    expect([peers.last.written, stream.isUp, stream.address]).toEqual([["hello"], false, undefined]);
    peers.last.listener.onMessage("welcome");
    expect([stream.isUp, stream.address]).toEqual([true, "a"]);
    expect(stream.send("one")).toBe(true);
    expect(peers.last.written).toEqual(["hello", "one"]);
    peers.last.listener.onEnd("broken");
    await clock.advance(100);
    expect(peers.calls.map(({ written }) => written)).toEqual([["hello", "one"], ["hello"]]);
    expect(told).toEqual(["up a", "over", "down a: broken"]);
  });

  test("ends a call whose message its owner cannot read, and calls again", async () => {
    const { clock, peers, told } = scene();
    peers.last.listener.onMessage("welcome");
    peers.last.listener.onMessage("noise");
    await clock.advance(LIMITS.waitMs);
    expect(told).toEqual(["up a", "over", "down a: noise is no message"]);
    expect(peers.calls.length).toBe(2);
  });

  test("waits longer with each failure, and at most so long, by chance between half and all of it", async () => {
    const waits = fc.record({
      waitMs: fc.integer({ min: 1, max: 500 }),
      waitMsMax: fc.integer({ min: 500, max: 5000 }),
    });
    const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 2,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(waits, chances, async (limits, drawn) => {
        let draws = 0;
        const chance = () => drawn[draws++] ?? 0;
        const { clock, peers, ended } = scene({ limits: { ...LIMITS, ...limits }, chance });
        peers.refusal = "refused";
        peers.last.listener.onEnd("refused");
        for (let i = 0; i < drawn.length; i++) await clock.advance(limits.waitMsMax);
        const opened = peers.calls.map(({ openedMs }) => openedMs);
        const waited = drawn.map((_, i) => at(opened, i + 1) - at(opened, i));
        for (const [i, ms] of waited.entries()) {
          const wholeMs = limits.waitMs * 2 ** i;
          expect(ms).toBeGreaterThanOrEqual(Math.min(limits.waitMsMax, wholeMs) / 2 - 1e-6);
          expect(ms).toBeLessThanOrEqual(Math.min(limits.waitMsMax, wholeMs) + 1e-6);
          if (i > 0 && wholeMs <= limits.waitMsMax) expect(ms).toBeGreaterThanOrEqual(at(waited, i - 1) - 1e-6);
        }
        end(ended);
      }),
      { numRuns: 50 },
    );
  });

  test("comes back at another moment than those who lost the same peer", async () => {
    const scenes = [0, 0.25, 0.5, 0.75].map((drawn) => scene({ chance: () => drawn }));
    for (const { peers } of scenes) peers.last.listener.onEnd("broken");
    for (const { clock } of scenes) await clock.advance(100);
    expect(scenes.map(({ peers }) => peers.last.openedMs)).toEqual([100, 87.5, 75, 62.5]);
  });

  test("is tried as soon as at first once it was up", async () => {
    const { clock, peers } = scene();
    peers.refusal = "refused";
    peers.last.listener.onEnd("refused");
    await clock.advance(100 + 200 + 400 + 800);
    expect(peers.calls).toHaveLength(5);
    peers.refusal = undefined;
    await clock.advance(1000);
    expect(peers.calls).toHaveLength(6);
    peers.last.listener.onMessage("welcome");
    peers.last.listener.onEnd("broken");
    await clock.advance(99);
    expect(peers.calls).toHaveLength(6);
    await clock.advance(1);
    expect(peers.calls).toHaveLength(7);
  });

  test("says each reason of a spell once, and again in the next", async () => {
    const { clock, peers, told } = scene();
    for (const reason of ["refused", "refused", "no route", "refused"]) {
      peers.last.listener.onEnd(reason);
      await clock.advance(1000);
    }
    expect(told.splice(0)).toEqual(["away a: refused", "away a: no route"]);
    peers.last.listener.onMessage("welcome");
    peers.last.listener.onEnd("refused");
    await clock.advance(1000);
    peers.last.listener.onEnd("refused");
    expect(told).toEqual(["up a", "over", "down a: refused", "away a: refused"]);
  });

  test("calls its peers in turn, and waits once for a round over all", async () => {
    const { clock, peers } = scene({ addresses: ["a", "b", "c"] });
    peers.refusal = "stands by";
    peers.last.listener.onEnd("stands by");
    await clock.advance(0);
    expect(peers.calls.map(({ address, openedMs }) => [address, openedMs])).toEqual([
      ["a", 0],
      ["b", 0],
      ["c", 0],
    ]);
    await clock.advance(100);
    expect(peers.calls.slice(3).map(({ address, openedMs }) => [address, openedMs])).toEqual([
      ["a", 100],
      ["b", 100],
      ["c", 100],
    ]);
  });

  test("leaves a peer that does not take it in time, though it speaks", async () => {
    const { clock, peers, told } = scene();
    await clock.advance(1999);
    peers.last.listener.onMessage("busy");
    expect(peers.last.cancelled).toBe(false);
    await clock.advance(1);
    expect(peers.last.cancelled).toBe(true);
    expect(told).toEqual(["busy", "away a: the peer did not answer within 2000 ms"]);
  });

  test("leaves a peer that falls silent, and keeps one that speaks", async () => {
    const { clock, peers, told } = scene({ limits: { ...LIMITS, silenceMsMax: 500 } });
    peers.last.listener.onMessage("welcome");
    for (let i = 0; i < 10; i++) {
      await clock.advance(499);
      peers.last.listener.onMessage("welcome");
    }
    expect(peers.calls).toHaveLength(1);
    await clock.advance(499);
    expect(peers.last.cancelled).toBe(false);
    await clock.advance(1);
    expect(peers.calls[0]?.cancelled).toBe(true);
    expect(told).toEqual(["up a", "over", "down a: the peer said nothing for 500 ms"]);
  });

  test("keeps a silent peer where none has to speak", async () => {
    const { clock, peers } = scene();
    peers.last.listener.onMessage("welcome");
    await clock.advance(3_600_000);
    expect([peers.calls.length, peers.last.cancelled, clock.sleeperCount]).toEqual([1, false, 0]);
  });

  test("is renewed when its owner wants that: the old call is over, and another follows", async () => {
    const { clock, peers, told, stream } = scene();
    peers.last.listener.onMessage("welcome");
    stream.renew("it has lost what it held");
    expect([peers.last.cancelled, stream.isUp]).toEqual([true, false]);
    await clock.advance(100);
    expect(peers.calls).toHaveLength(2);
    expect(told).toEqual(["up a", "over", "down a: it has lost what it held"]);
  });

  test("writes nothing while it is down", async () => {
    const { clock, peers, ended, stream } = scene();
    peers.last.listener.onEnd("broken");
    expect(stream.send("lost")).toBe(false);
    await clock.advance(100);
    expect(stream.send("heard")).toBe(true);
    end(ended);
    expect(stream.send("lost")).toBe(false);
    expect(peers.calls.map(({ written }) => written)).toEqual([["hello"], ["hello", "heard"]]);
  });

  test("is blocked from a write that finds no room until there is some, or the call is over", () => {
    const { peers, stream } = scene();
    peers.last.hasRoom = false;
    expect([stream.isBlocked, stream.send("much"), stream.isBlocked]).toEqual([false, true, true]);
    peers.last.listener.onDrain();
    expect(stream.isBlocked).toBe(false);
    stream.send("more");
    peers.last.listener.onEnd("broken");
    expect(stream.isBlocked).toBe(false);
  });

  test.each([
    ["while it waits", (peers: SimPeers<string, string>) => peers.last.listener.onEnd("broken")],
    ["while it is greeted", () => undefined],
    ["while it is up", (peers: SimPeers<string, string>) => peers.last.listener.onMessage("welcome")],
  ])("ends at once with its signal %s, tells nothing of it, and calls nobody any more", async (_name, begin) => {
    const { clock, peers, told, ended, stream, running } = scene();
    begin(peers);
    const before = told.filter((text) => text !== "over").length;
    end(ended);
    await running;
    expect([peers.last.cancelled, stream.isUp, clock.sleeperCount]).toEqual([true, false, 0]);
    await clock.advance(60_000);
    expect(peers.calls).toHaveLength(1);
    expect(told.filter((text) => text !== "over")).toHaveLength(before);
  });
});
