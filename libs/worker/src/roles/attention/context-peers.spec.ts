import { type ContextHolder, workerId as idOf } from "@drover/core";
import { expect, test } from "vitest";
import { ContextPeers } from "./context-peers.ts";

class FakeHolder implements ContextHolder, Disposable {
  readonly workerId: string;
  readonly address: string;
  readonly life = 1;
  readonly bytesFree = 0;
  readonly bytesMax = 0;
  connected = true;
  draining = false;
  readonly transfer = undefined;
  disposed = false;

  constructor(workerId: string, address: string) {
    this.workerId = workerId;
    this.address = address;
  }

  put(): Promise<boolean> {
    return Promise.resolve(false);
  }

  attend(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  drop(): void {
    // It never has anything.
  }

  [Symbol.dispose](): void {
    this.disposed = true;
  }
}

const named = (...lives: readonly (readonly [string, string])[]) =>
  lives.map(([id, incarnation]) => ({ workerId: idOf(id), incarnation, address: `${id}:1`, draining: false }));

function opened() {
  const holders: FakeHolder[] = [];
  const peers = new ContextPeers((workerId, address) => {
    const holder = new FakeHolder(workerId, address);
    holders.push(holder);
    return holder;
  });
  return { peers, holders };
}

test("each life has one connection, and holders stand in the order of their ids", () => {
  const { peers, holders } = opened();
  peers.update(named(["b", "1"], ["a", "1"]));
  peers.update(named(["a", "1"], ["b", "1"]));
  expect(peers.holders.map(({ workerId }) => workerId)).toEqual(["a", "b"]);
  expect(holders).toHaveLength(2);
  peers.update(named(["a", "2"], ["b", "1"]));
  expect(holders).toHaveLength(3);
  expect(holders.map(({ disposed }) => disposed)).toEqual([false, true, false]);
});

test("a worker that is not named any more stays while its connection does", () => {
  const { peers, holders } = opened();
  peers.update(named(["a", "1"]));
  peers.update(named());
  expect(peers.holders).toHaveLength(1);
  const [holder] = holders;
  if (holder !== undefined) holder.connected = false;
  peers.update(named());
  expect(peers.holders).toEqual([]);
  expect(holder?.disposed).toBe(true);
});

test("a worker that drains is marked so, and keeps its connection", () => {
  const { peers, holders } = opened();
  peers.update(named(["a", "1"]));
  peers.update([{ workerId: idOf("a"), incarnation: "1", address: "a:1", draining: true }]);
  expect(peers.holders).toHaveLength(1);
  expect(holders.map(({ draining }) => draining)).toEqual([true]);
  peers.update(named(["a", "1"]));
  expect(holders.map(({ draining }) => draining)).toEqual([false]);
});
