import { at, type Clock, systemClock } from "@drover/core";
import { expect, test } from "vitest";
import { DistributedExchange, type WhenSent } from "./distributed-exchange.ts";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { PendingCalls } from "./pending-calls.ts";

const quiet = { rowsRouted: () => undefined, rowsMissing: () => undefined };

/** Expert e multiplies its rows by e + 1; one that does not answer may have written some. */
function fakePeer(workerId: string, answers: () => boolean = () => true): ExpertPeer {
  return {
    workerId,
    connected: true,
    isHere: false,
    call: async ({ experts, counts, rows, z_aD, y_aD, width }: PeerCall) => {
      const scales = [...experts].flatMap((e, i) => Array.from({ length: at(counts, i) }, () => e + 1));
      for (const [i, row] of rows.entries())
        for (let d = row * width; d < (row + 1) * width; d++) y_aD[d] = at(z_aD, d) * at(scales, i);
      return answers();
    },
  };
}

const nothingToSend = () => Promise.reject(new Error("nothing is sent"));

function exchangeOver(
  peers: readonly ExpertPeer[],
  layer: readonly (readonly string[])[],
  whenSent: WhenSent = nothingToSend,
  clock: Clock = systemClock,
): DistributedExchange {
  const exchange = new DistributedExchange(2, (id) => peers.find((p) => p.workerId === id), quiet, whenSent, clock);
  exchange.update({ epoch: 1n, expertCount: layer.length, layers: new Map([[1, layer]]) });
  return exchange;
}

const request = {
  layer: 1,
  z_aD: Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4),
  expert_a: Int32Array.of(2, 0, 1, 2),
  rowCount: 4,
};

test("every row comes back from its own expert, in the step's order", async () => {
  const exchange = exchangeOver([fakePeer("a"), fakePeer("b")], [["a"], ["b"], ["a"]]);
  const { y_aD, missing } = await exchange.exchange(request);
  expect([...y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
  expect(missing).toEqual([]);
});

test("rows for others have left before this process computes its own, and it waits for nothing where all are its own", async () => {
  const told: string[] = [];
  const peer = (workerId: string, isHere: boolean): ExpertPeer => {
    const { call, ...facts } = fakePeer(workerId);
    const tells = (asked: PeerCall) => {
      told.push(`call ${workerId}`);
      return call(asked);
    };
    return { ...facts, isHere, call: tells };
  };
  const whenSent = async () => void told.push("sent");
  const mixed = exchangeOver([peer("here", true), peer("b", false)], [["here"], ["b"], ["here"]], whenSent);
  expect([...(await mixed.exchange(request)).y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
  expect(told.splice(0)).toEqual(["call b", "sent", "call here"]);
  const own = exchangeOver([peer("here", true)], [["here"], ["here"], ["here"]], whenSent);
  const pending = own.exchange(request);
  expect(told.splice(0)).toEqual(["call here"]);
  expect((await pending).missing).toEqual([]);
  const meanwhile = () => void told.push("meanwhile");
  expect((await mixed.exchange({ ...request, meanwhile })).missing).toEqual([]);
  expect(told.splice(0)).toEqual(["call b", "sent", "meanwhile", "call here"]);
  const others = exchangeOver([peer("b", false)], [["b"], ["b"], ["b"]], whenSent);
  expect((await others.exchange({ ...request, meanwhile })).missing).toEqual([]);
  expect(told).toEqual(["call b", "sent", "meanwhile"]);
});

test("rows of a silent worker are missing and the others are answered", async () => {
  const exchange = exchangeOver([fakePeer("a"), fakePeer("b", () => false)], [["a"], ["b"], ["a"]]);
  const { y_aD, missing } = await exchange.exchange(request);
  expect(missing).toEqual([2]);
  expect([...y_aD]).toEqual([3, 3, 2, 2, 0, 0, 12, 12]);
});

test("another holder answers for a silent worker", async () => {
  const exchange = exchangeOver([fakePeer("a", () => false), fakePeer("b")], [["a", "b"], ["b"], ["a", "b"]]);
  const { y_aD, missing } = await exchange.exchange(request);
  expect(missing).toEqual([]);
  expect([...y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
});

test("a silent worker's rows go on to as many others as hold their experts, and a second silent one's again", async () => {
  const silent = ["a", "b"];
  const peers = ["a", "b", "c", "d"].map((id) => fakePeer(id, () => !silent.includes(id)));
  const exchange = exchangeOver(peers, [["a", "b", "c"], ["a", "d"], ["a"]]);
  const { y_aD, missing } = await exchange.exchange(request);
  expect(missing).toEqual([0, 3]);
  expect([...y_aD]).toEqual([0, 0, 2, 2, 6, 6, 0, 0]);
});

test("an expert's rows are shared by its holders, and each comes back to its own place", async () => {
  const asked = new Map<string, number>();
  const peers = ["a", "b"].map((id) => {
    const peer = fakePeer(id);
    const counted = (call: PeerCall) => {
      asked.set(id, call.rows.length);
      return peer.call(call);
    };
    return { ...peer, call: counted };
  });
  const rowCount = 40;
  const exchange = exchangeOver(peers, [["a"], ["a", "b"]]);
  const { y_aD, missing } = await exchange.exchange({
    layer: 1,
    z_aD: Float32Array.from({ length: 2 * rowCount }, (_, i) => i),
    expert_a: Int32Array.from({ length: rowCount }, (_, row) => (row < 10 ? 0 : 1)),
    rowCount,
  });
  expect(missing).toEqual([]);
  expect([...y_aD]).toEqual(Array.from({ length: 2 * rowCount }, (_, i) => (i < 20 ? i : 2 * i)));
  expect(asked).toEqual(
    new Map([
      ["a", 20],
      ["b", 20],
    ]),
  );
});

test("rows of a peer that broke are asked for elsewhere while the others still compute", async () => {
  const slow = Promise.withResolvers<void>();
  const rescued = Promise.withResolvers<void>();
  const held = fakePeer("slow");
  const peers = [
    { ...held, call: (asked: PeerCall) => slow.promise.then(() => held.call(asked)) },
    fakePeer("broken", () => false),
    fakePeer("other", () => {
      rescued.resolve();
      return true;
    }),
  ];
  const exchange = exchangeOver(peers, [["slow"], ["broken", "other"], ["slow"]]);
  const answer = exchange.exchange(request);
  await rescued.promise;
  slow.resolve();
  expect((await answer).missing).toEqual([]);
});

/** Time that calls are told to take; a sleep ends when time has come to its end. */
class SteppedClock implements Clock {
  #ms = 0;
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();

  now = () => this.#ms;
  monotonic = () => this.#ms;

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      const sleeper = { atMs: this.#ms + ms, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  pass(ms: number): void {
    this.#ms += ms;
    for (const sleeper of this.#sleepers) if (sleeper.atMs <= this.#ms) sleeper.wake();
  }
}

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

test("a map of an older epoch changes nothing that a newer one said", async () => {
  const exchange = exchangeOver([fakePeer("a"), fakePeer("b")], [["a"], ["b"], ["a"]]);
  const { map } = exchange;
  exchange.update({ epoch: 0n, expertCount: 3, layers: new Map([[1, [[], [], []]]]) });
  expect(exchange.map).toBe(map);
  expect((await exchange.exchange(request)).missing).toEqual([]);
});

test("an expert that nobody holds leaves its rows missing", async () => {
  const exchange = exchangeOver([fakePeer("a")], [["a"], [], ["a"]]);
  expect(exchange.usable).toBe(false);
  expect((await exchange.exchange(request)).missing).toEqual([2]);
});

test("a call is settled exactly once: by reply, deadline or the stream's end", () => {
  const calls = new PendingCalls({ callCountMax: 2, byteCountMax: 100 });
  const settled: string[] = [];
  const a = calls.open(10, 5, () => settled.push("a"));
  calls.open(10, 9, () => settled.push("b"));
  expect(calls.open(10, 9, () => settled.push("c"))).toBeUndefined();
  expect(calls.expire(5)).toBe(1);
  if (a !== undefined) calls.settle(a, new Uint8Array());
  calls.failAll();
  calls.failAll();
  expect(settled).toEqual(["a", "b"]);
  expect(calls.byteCount).toBe(0);
});
