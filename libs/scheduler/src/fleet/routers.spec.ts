import { type DroverError, modelId, routerId } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import { describe, expect, it } from "vitest";
import { KNOWN_ROUTER_MAX, ROUTER_COUNT_MAX, ROUTER_GONE_MS, STATE_CHANGE_MS, STATE_INTERVAL_MS } from "../limits.ts";
import { emptyMap } from "./expert-map.ts";
import { Routers, type StateSink } from "./routers.ts";

const r1 = routerId("router-1");
const state = (): ClusterState => ({
  modelId: modelId("nano"),
  schedulerId: "scheduler-1",
  leaderEpoch: 1n,
  workers: [],
  expertMap: emptyMap(modelId("nano"), 1n),
  lanes: [],
  routerIds: [],
  ready: false,
  modelFingerprint: undefined,
  expertShortage: undefined,
});

function sink(): StateSink & { sentCount: number; endedBy: DroverError | undefined } {
  return {
    sentCount: 0,
    endedBy: undefined,
    send() {
      this.sentCount += 1;
    },
    end(error) {
      this.endedBy = error;
    },
  };
}

describe("Routers", () => {
  it("sends the state to a new router, then each second, and sooner when something changed but 20 times a second at most", () => {
    const routers = new Routers();
    const watcher = sink();
    routers.add(r1, watcher, 0);
    routers.flush(state, 0);
    routers.flush(state, STATE_INTERVAL_MS - 1);
    expect(watcher.sentCount).toBe(1);
    routers.flush(state, STATE_INTERVAL_MS);
    expect(watcher.sentCount).toBe(2);
    routers.touch();
    routers.flush(state, STATE_INTERVAL_MS + STATE_CHANGE_MS - 1);
    expect(watcher.sentCount).toBe(2);
    routers.flush(state, STATE_INTERVAL_MS + STATE_CHANGE_MS);
    expect(watcher.sentCount).toBe(3);
    routers.remove(watcher, 2000);
    routers.flush(state, 9000);
    expect(watcher.sentCount).toBe(3);
  });

  it("a router is gone when it has not watched for its grace, and is named once", () => {
    const routers = new Routers();
    const watcher = sink();
    routers.add(r1, watcher, 0);
    expect(routers.expire(10 * ROUTER_GONE_MS)).toEqual([]);
    const leftAtMs = 10 * ROUTER_GONE_MS + 1;
    routers.remove(watcher, leftAtMs);
    expect(routers.isGone(r1, leftAtMs + ROUTER_GONE_MS - 1)).toBe(false);
    expect(routers.expire(leftAtMs + ROUTER_GONE_MS)).toEqual([r1]);
    expect(routers.expire(leftAtMs + ROUTER_GONE_MS + 1)).toEqual([]);
    expect(routers.isGone(r1, leftAtMs + ROUTER_GONE_MS + 1)).toBe(true);
    routers.add(r1, sink(), leftAtMs + ROUTER_GONE_MS + 2);
    expect(routers.isGone(r1, leftAtMs + ROUTER_GONE_MS + 2)).toBe(false);
  });

  it("a router that is known by its jobs alone has the same grace", () => {
    const routers = new Routers();
    expect(routers.isGone(r1, 5)).toBe(false);
    expect(routers.isGone(r1, 5 + ROUTER_GONE_MS)).toBe(true);
  });

  it("refuses streams beyond its maximum and remembers a bounded number of routers", () => {
    const routers = new Routers();
    for (let i = 0; i < ROUTER_COUNT_MAX; i += 1) routers.add(r1, sink(), 0);
    expect(() => routers.add(r1, sink(), 0)).toThrowError(expect.objectContaining({ code: "overloaded" }));
    for (let i = 0; i < 2 * KNOWN_ROUTER_MAX; i += 1) routers.isGone(routerId(`job-router-${i}`), 1);
    expect(routers.expire(1 + ROUTER_GONE_MS).length).toBeLessThanOrEqual(KNOWN_ROUTER_MAX);
  });

  it("ends all streams with the fault", () => {
    const routers = new Routers();
    const watcher = sink();
    routers.add(r1, watcher, 0);
    routers.close({ code: "not_leader" } as DroverError);
    expect(watcher.endedBy?.code).toBe("not_leader");
    expect(routers.watching).toEqual([]);
  });
});
