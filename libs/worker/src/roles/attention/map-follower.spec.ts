import { workerId as idOf, modelId } from "@drover/core";
import { DistributedExchange } from "@drover/exchange";
import type { ExpertMap } from "@drover/fleet";
import { SimClock } from "@drover/testkit";
import { expect, test } from "vitest";
import { ExpertPeers } from "./expert-peers.ts";
import { MapFollower } from "./map-follower.ts";

/** A map in which each expert of layer 1 has one holder, by name. */
function mapOf(epoch: bigint, ...owners: string[]): ExpertMap {
  return {
    modelId: modelId("m"),
    epoch,
    complete: true,
    holders: [...new Set(owners)].map((id) => ({ workerId: idOf(id), incarnation: "1", address: id, draining: false })),
    experts: new Map([[1, owners.map((owner) => [idOf(owner)])]]),
  };
}

class Scene {
  readonly clock = new SimClock();
  readonly connected = new Set<string>();
  readonly ended: string[] = [];
  readonly peers: ExpertPeers;
  readonly exchange: DistributedExchange;
  readonly follower: MapFollower;
  readonly signal = new AbortController().signal;

  constructor() {
    const { connected, ended } = this;
    this.peers = new ExpertPeers((workerId) => {
      const end = () => ended.push(workerId);
      const call = async () => false;
      return {
        workerId,
        isHere: false,
        call,
        retire: end,
        [Symbol.dispose]: end,
        get connected() {
          return connected.has(workerId);
        },
      };
    }, undefined);
    const observer = { rowsRouted: () => undefined, rowsMissing: () => undefined };
    this.exchange = new DistributedExchange(
      4,
      (id) => this.peers.get(id),
      observer,
      async () => undefined,
      this.clock,
    );
    this.follower = new MapFollower({ ...this, clock: this.clock });
  }

  get epoch(): bigint {
    return this.exchange.map.epoch;
  }
}

test("a new map is used once its holders are connected, and the last one's are kept until then", async () => {
  const scene = new Scene();
  scene.connected.add("a");
  await scene.follower.follow(mapOf(1n, "a", "a"), scene.signal);
  const followed = scene.follower.follow(mapOf(2n, "b", "b"), scene.signal);
  await scene.clock.advance(100);
  expect([scene.epoch, scene.ended]).toEqual([1n, []]);
  scene.connected.add("b");
  await scene.clock.advance(10);
  await followed;
  expect([scene.epoch, scene.ended]).toEqual([2n, ["a"]]);
});

test("a new map is used at once where the last one has lost a holder, and in the end in any case", async () => {
  const scene = new Scene();
  scene.connected.add("a");
  await scene.follower.follow(mapOf(1n, "a"), scene.signal);
  const followed = scene.follower.follow(mapOf(2n, "b"), scene.signal);
  await scene.clock.advance(1000);
  await followed;
  expect(scene.epoch).toBe(2n);
  await scene.follower.follow(mapOf(3n, "c"), scene.signal);
  expect(scene.epoch).toBe(3n);
});

test("a newer map takes the place of one that is waited for", async () => {
  const scene = new Scene();
  scene.connected.add("a");
  await scene.follower.follow(mapOf(1n, "a"), scene.signal);
  const second = scene.follower.follow(mapOf(2n, "b"), scene.signal);
  await scene.follower.follow(mapOf(3n, "a"), scene.signal);
  await scene.clock.advance(10);
  await second;
  expect([scene.epoch, scene.ended]).toEqual([3n, ["b"]]);
});
