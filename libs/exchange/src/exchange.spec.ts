import { expect, test } from "vitest";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { PACE_SAMPLES_AT_ONCE } from "./limits.ts";
import { PendingCalls } from "./pending-calls.ts";
import { exchangeOver, fakePeer, request } from "./testing/exchange-scene.ts";
import { SteppedClock } from "./testing/stepped-clock.ts";

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

test("rows of a worker that alone holds their experts in this process go on to whoever holds them when it has unloaded one", async () => {
  const peers: ExpertPeer[] = [{ ...fakePeer("here", () => false), isHere: true }, fakePeer("b")];
  const alone = exchangeOver(peers, [["here"], ["here"], ["here"]]);
  expect((await alone.exchange(request)).missing).toEqual([0, 1, 2, 3]);
  const refused = fakePeer("here");
  const moved = exchangeOver(
    [
      {
        ...refused,
        isHere: true,
        // Experts move while the step is at the layer: its map is older than what the worker has.
        call: async () => {
          moved.update({ epoch: 9n, expertCount: 3, layers: new Map([[1, [["b"], ["b"], ["b"]]]]) });
          return false;
        },
      },
      fakePeer("b"),
    ],
    [["here"], ["here"], ["here"]],
  );
  const { y_aD, missing } = await moved.exchange(request);
  expect(missing).toEqual([]);
  expect([...y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
});

test("one row of the experts of this process is computed before the exchange returns", async () => {
  const exchange = exchangeOver([{ ...fakePeer("here"), isHere: true }], [["here"], ["here"], ["here"]]);
  const one = { ...request, z_aD: Float32Array.of(5, 6), expert_a: Int32Array.of(2), rowCount: 1 };
  expect(await exchange.exchange(one)).toEqual({ y_aD: Float32Array.of(15, 18), missing: [] });
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

test("rows whose experts are all here are not sent to others that hold them too, where that takes longer", async () => {
  const clock = new SteppedClock();
  const asked: string[] = [];
  const peer = (workerId: string, isHere: boolean, ms: number): ExpertPeer => {
    const { call, ...facts } = fakePeer(workerId);
    const timed = (one: PeerCall) => {
      asked.push(workerId);
      clock.pass(ms);
      return call(one);
    };
    return { ...facts, isHere, call: timed };
  };
  const both = ["there", "here"];
  const peers = [peer("here", true, 1), peer("there", false, 20)];
  const exchange = exchangeOver(peers, [both, both, both], async () => undefined, clock);
  const askedThere = async () => {
    asked.length = 0;
    for (let step = 0; step < 20; step++) {
      const { y_aD, missing } = await exchange.exchange(request);
      expect([...y_aD]).toEqual([3, 3, 2, 2, 6, 6, 12, 12]);
      expect(missing).toEqual([]);
    }
    return asked.filter((id) => id === "there").length;
  };
  expect(await askedThere()).toBe(PACE_SAMPLES_AT_ONCE);
  expect(await askedThere()).toBe(0);
  // Of one that the map names anew nothing is known.
  const map = (holders: readonly string[]) => ({
    epoch: 2n,
    expertCount: 3,
    layers: new Map([[1, [holders, both, both]]]),
  });
  exchange.update(map(["new", ...both]));
  expect(await askedThere()).toBe(PACE_SAMPLES_AT_ONCE);
  // Not here: the others' rows are where they have to be.
  const elsewhere = exchangeOver(peers, [["there"], both, both], async () => undefined, clock);
  asked.length = 0;
  await elsewhere.exchange(request);
  await elsewhere.exchange(request);
  expect(asked.filter((id) => id === "there")).toHaveLength(2);
});
