import { expect, test } from "vitest";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { SILENT_MS_MIN } from "./limits.ts";
import { exchangeOver, fakePeer, nothingToSend, request } from "./testing/exchange-scene.ts";
import { SteppedClock } from "./testing/stepped-clock.ts";

/** Two holders of everything; "a" has answered a while in a millisecond each, and then answers only when it is let. */
async function lateScene() {
  const clock = new SteppedClock();
  const asked: string[] = [];
  const held = { a: Promise.resolve(), b: Promise.resolve() };
  const peers = (["a", "b"] as const).map((id): ExpertPeer => {
    const peer = fakePeer(id);
    const call = async (asking: PeerCall) => {
      asked.push(id);
      const waits = held[id];
      clock.pass(1);
      await waits;
      return asking.isOver?.() ? false : peer.call(asking);
    };
    return { ...peer, call };
  });
  const exchange = exchangeOver(
    peers,
    [
      ["a", "b"],
      ["a", "b"],
      ["a", "b"],
    ],
    nothingToSend,
    clock,
  );
  for (let i = 0; i < 40; i++) await exchange.exchange(request);
  asked.length = 0;
  return { clock, asked, held, exchange };
}

test("a late call's rows go to another holder, whose answer counts, and the late one writes nothing any more", async () => {
  const { clock, asked, held, exchange } = await lateScene();
  const late = Promise.withResolvers<void>();
  const turn = Promise.withResolvers<void>();
  Object.assign(held, { a: late.promise, b: turn.promise });
  const answer = exchange.exchange(request);
  const rescued = [...asked];
  clock.pass(1000);
  turn.resolve();
  const { y_aD, missing } = await answer;
  expect(missing).toEqual([]);
  expect([...y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
  expect(rescued).toContain("a");
  y_aD.fill(0);
  late.resolve();
  await late.promise;
  await Promise.resolve();
  expect([...y_aD]).toEqual(new Array(8).fill(0));
  // Slow as it was, it is asked for nothing that the other one can answer as well.
  asked.length = 0;
  await exchange.exchange(request);
  expect(asked).toEqual(["b"]);
});

/** A sole holder of everything; it has answered for a while, and then only when it is let. */
async function soleScene() {
  const clock = new SteppedClock();
  const asked: ReturnType<typeof Promise.withResolvers<void>>[] = [];
  const peer = fakePeer("a");
  let answers = true;
  const call = async (asking: PeerCall) => {
    const held = Promise.withResolvers<void>();
    asked.push(held);
    clock.pass(1);
    if (answers) held.resolve();
    await held.promise;
    return asking.isOver?.() ? true : peer.call(asking);
  };
  const exchange = exchangeOver([{ ...peer, call }], [["a"], ["a"], ["a"]], nothingToSend, clock);
  for (let i = 0; i < 40; i++) await exchange.exchange(request);
  asked.length = 0;
  const freeze = () => {
    answers = false;
  };
  const thaw = () => {
    answers = true;
    for (const held of asked) held.resolve();
  };
  /** Lets so much time pass, with a turn of the loop after each part of it. */
  const pass = async (ms: number) => {
    for (let i = 0; i < 20; i++) {
      clock.pass(ms / 20);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { exchange, asked, freeze, thaw, pass };
}

test("a sole holder that falls silent is given up by its own times, and is not asked again before it answers", async () => {
  const { exchange, asked, freeze, thaw, pass } = await soleScene();
  freeze();
  const answer = exchange.exchange(request);
  await pass(2 * SILENT_MS_MIN);
  const { y_aD, missing } = await answer;
  expect(missing).toEqual([0, 1, 2, 3]);
  expect(exchange.usable).toBe(false);
  expect(exchange.pacesOfPeers()).toMatchObject([{ workerId: "a", isSilent: true }]);
  // Nobody waits a second time.
  expect((await exchange.exchange(request)).missing).toEqual([0, 1, 2, 3]);
  expect(asked).toHaveLength(1);
  thaw();
  await pass(1);
  expect([...y_aD]).toEqual(new Array(8).fill(0));
  expect(exchange.pacesOfPeers()).toMatchObject([{ workerId: "a", isSilent: false }]);
  expect((await exchange.exchange(request)).missing).toEqual([]);
});

test("a process that itself stood still reads what came meanwhile before it calls anybody silent", async () => {
  const { exchange, asked, freeze, thaw, pass } = await soleScene();
  freeze();
  const answer = exchange.exchange(request);
  const [held] = asked;
  await pass(5);
  // All of the wait passes at once, and then the answers are read.
  const stood = pass(20 * SILENT_MS_MIN * 20);
  held?.resolve();
  thaw();
  await stood;
  expect((await answer).missing).toEqual([]);
  expect(exchange.pacesOfPeers()).toMatchObject([{ isSilent: false }]);
});
