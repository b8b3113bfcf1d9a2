import { at, silentLogger } from "@drover/core";
import { NO_STATUS } from "@drover/fleet";
import { SimClock } from "@drover/testkit";
import type { JoinHello } from "@drover/wire";
import { expect, test } from "vitest";
import { STALE_LEADER_MS } from "../limits.ts";
import { EpochFence } from "./epoch-fence.ts";
import { Membership, type MembershipOptions } from "./membership.ts";

test("an older epoch is refused while the newer leader may be there, and obeyed once it is gone for long", () => {
  const fence = new EpochFence();
  expect(fence.admits(7n, 0)).toBe(true);
  expect(fence.admits(6n, STALE_LEADER_MS - 1)).toBe(false);
  expect(fence.admits(7n, STALE_LEADER_MS)).toBe(true);
  expect(fence.admits(9n, STALE_LEADER_MS)).toBe(true);
  fence.heard(10 * STALE_LEADER_MS);
  expect(fence.admits(8n, 11 * STALE_LEADER_MS - 1)).toBe(false);
  expect(fence.admits(8n, 11 * STALE_LEADER_MS)).toBe(true);
});

test("a worker leaves a leader that slept through the loss of its lease, and obeys nothing that it says", async () => {
  const clock = new SimClock();
  const epochs = new Map([
    ["new", 9n],
    ["old", 5n],
  ]);
  const calls: { address: string; listener: Parameters<MembershipOptions["open"]>[1] }[] = [];
  const obeyed: string[] = [];
  using membership = new Membership(
    {
      addresses: ["new", "old"],
      open: (address, listener) => {
        calls.push({ address, listener });
        return { write: () => true, cancel: () => undefined };
      },
      clock,
      logger: silentLogger,
    },
    {
      hello: {} as JoinHello,
      status: () => ({ ...NO_STATUS, sentAtMs: clock.now() }),
      loaded: () => new Map(),
      obey: (order) => obeyed.push(order.kind === "accepted" ? `accepted by ${order.leaderEpoch}` : order.kind),
    },
  );
  const answer = () => {
    const { address, listener } = at(calls, calls.length - 1);
    const leaderEpoch = epochs.get(address) ?? 0n;
    listener.onMessage({ kind: "accepted", leaderEpoch, schedulerId: address, heartbeatMs: 1000 });
    if (calls.at(-1)?.listener === listener && membership.isUp)
      listener.onMessage({ kind: "set_drain", wanted: false });
    return address;
  };
  expect(answer()).toBe("new");
  expect(membership.isUp).toBe(true);
  at(calls, 0).listener.onEnd("broken");
  for (let callCount = calls.length; calls.length === callCount; ) await clock.advance(100);
  while (at(calls, calls.length - 1).address !== "old") {
    at(calls, calls.length - 1).listener.onEnd("refused");
    await clock.advance(100);
  }
  expect(answer()).toBe("old");
  expect(membership.isUp).toBe(false);
  expect(obeyed).toEqual(["accepted by 9", "set_drain"]);
  // Nobody newer comes back for long: the clock was set back, or the newer one never led anything here.
  await clock.advance(STALE_LEADER_MS);
  while (at(calls, calls.length - 1).address !== "old") {
    at(calls, calls.length - 1).listener.onEnd("refused");
    await clock.advance(100);
  }
  answer();
  expect(membership.isUp).toBe(true);
  expect(obeyed.slice(2)).toEqual(["accepted by 5", "set_drain"]);
});
