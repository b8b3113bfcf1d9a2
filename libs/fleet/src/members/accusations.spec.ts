import { modelId, type WorkerRole, workerId } from "@drover/core";
import { describe, expect, it } from "vitest";
import { ACCUSATION_MS_MAX, ACCUSATIONS_REMEMBERED_MS, ACCUSED_SILENT_MS } from "../limits.ts";
import type { WorkerProfile } from "./member.ts";
import { Membership, type MembershipChange } from "./membership.ts";
import { NO_STATUS } from "./worker-status.ts";

const profile = (id: string, role: WorkerRole): WorkerProfile => ({
  workerId: workerId(id),
  incarnation: "1",
  modelId: modelId("nano"),
  roles: [role],
  address: `${id}:1`,
  adminAddress: "",
});

/** Attention workers a, b, c and an expert worker e, and what became of e. */
class Scene {
  readonly membership = new Membership();
  readonly told: string[] = [];
  now = 0;

  constructor() {
    for (const [i, id] of ["a", "b", "c"].entries()) this.membership.join(profile(id, "attention"), i + 1, 0);
    this.membership.join(profile("e", "experts"), 4, 0);
  }

  /** What these attention workers say of e, which speaks itself unless it is frozen; then time passes. */
  say(silentFor: string, isFrozen: boolean, ms: number): void {
    for (const [i, id] of ["a", "b", "c"].entries()) {
      const slowPeers = silentFor.includes(id) ? [{ workerId: workerId("e"), slowness: 1, isSilent: true }] : [];
      this.#note(this.membership.status(i + 1, { ...NO_STATUS, runningCount: 1, slowPeers }, this.now));
    }
    if (!isFrozen) this.#note(this.membership.status(4, NO_STATUS, this.now));
    this.now += ms;
    this.#note(this.membership.tick(this.now));
  }

  #note(changes: readonly MembershipChange[]): void {
    for (const { kind, member } of changes)
      if (member.profile.workerId === "e" && ["suspected", "recovered", "gone"].includes(kind)) this.told.push(kind);
  }
}

describe("a holder of experts that attention workers find silent", () => {
  it("is suspected as soon as it has missed a heartbeat too, and trusted as soon as it is heard", () => {
    const scene = new Scene();
    scene.say("", false, ACCUSED_SILENT_MS - 1);
    scene.say("b", true, 0);
    expect(scene.told).toEqual([]);
    scene.now += 1;
    scene.say("b", true, 0);
    expect(scene.told).toEqual(["suspected"]);
    scene.say("", false, 100);
    expect(scene.told).toEqual(["suspected", "recovered"]);
  });

  it("is not suspected while it speaks, unless most of those who compute say so for a while", () => {
    const scene = new Scene();
    for (let i = 0; i < 2 * (ACCUSATION_MS_MAX / 250); i++) scene.say("a", false, 250);
    expect(scene.told).toEqual([]);
    for (let i = 0; i <= ACCUSATION_MS_MAX / 250; i++) scene.say("ac", false, 250);
    expect(scene.told).toEqual(["suspected"]);
    for (let i = 0; i < 10; i++) scene.say("ac", false, 250);
    expect(scene.told).toEqual(["suspected"]);
    for (let i = 0; i < 2; i++) scene.say("", false, 250);
    expect(scene.told).toEqual(["suspected", "recovered"]);
  });

  it("must be heard for longer each time before it is trusted, until that is long ago", () => {
    const scene = new Scene();
    /** How long it took until it was trusted again after a freeze. */
    const freeze = (): number => {
      scene.say("", false, 250);
      for (let i = 0; i < 7; i++) scene.say("a", true, 250);
      expect(scene.told.splice(0)).toEqual(["suspected"]);
      const wokenMs = scene.now;
      while (scene.told.length === 0) scene.say("", false, 250);
      expect(scene.told.splice(0)).toEqual(["recovered"]);
      return scene.now - wokenMs;
    };
    const tookMs = [freeze(), freeze(), freeze(), freeze()];
    expect(tookMs).toEqual(tookMs.toSorted((a, b) => a - b));
    expect(new Set(tookMs).size).toBe(4);
    for (let ms = 0; ms <= ACCUSATIONS_REMEMBERED_MS; ms += 1000) scene.say("", false, 1000);
    expect(freeze()).toBe(tookMs[0]);
  });

  it("is not suspected for the last word of one who is silent itself", () => {
    const { membership } = new Scene();
    const slowPeers = [{ workerId: workerId("e"), slowness: 1, isSilent: true }];
    membership.status(1, { ...NO_STATUS, runningCount: 1, slowPeers }, 0);
    for (let now = 0; now < 2 * ACCUSATION_MS_MAX; now += 250) {
      membership.status(4, NO_STATUS, now);
      expect(membership.tick(now).map(({ member }) => member.profile.workerId)).not.toContain("e");
    }
  });
});
