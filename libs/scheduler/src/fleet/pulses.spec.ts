import { workerId } from "@drover/core";
import type { Member } from "@drover/fleet";
import { SimClock, settled } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { PULSE_ANSWER_FACTOR, PULSE_ANSWER_MS_MAX, PULSE_ANSWER_MS_MIN, PULSE_SILENT_MS } from "../limits.ts";
import { member } from "../testing/placement-scene.ts";
import { Pulses } from "./pulses.ts";

const A = workerId("a");

/** One attention worker, how its admin port answers, and what is found of it. */
class Scene {
  readonly clock = new SimClock();
  readonly found: number[] = [];
  askedCount = 0;
  member: Member = member("a", { runningCount: 1 });
  /** Undefined: never. */
  answerMs: number | undefined = 2;
  readonly pulses = new Pulses({
    clock: this.clock,
    ask: async (_address, signal) => {
      this.askedCount += 1;
      if (this.answerMs === undefined)
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(false)));
      await this.clock.sleep(this.answerMs, signal).catch(() => undefined);
      return !signal.aborted;
    },
    member: (session) => (session === this.member.session ? this.member : undefined),
    onFrozen: () => {
      this.found.push(this.clock.monotonic());
      this.member = { ...this.member, frozen: true };
    },
    onDue: () => undefined,
  });

  /** As its leader does it: looks every now and then. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.pulses.look([this.member], this.clock.monotonic());
      await this.clock.advance(10);
    }
  }

  /** The worker speaks. */
  hear(fields: Partial<Member> = {}): void {
    this.member = { ...this.member, ...fields, frozen: false, heardAtMs: this.clock.monotonic() };
  }
}

describe("an attention worker that says nothing", () => {
  it("is frozen where its process does not answer either, and found so within two thirds of a second", async () => {
    const scene = new Scene();
    await scene.pass(200);
    scene.hear();
    const silentSinceMs = scene.clock.monotonic();
    scene.answerMs = undefined;
    await scene.pass(1000);
    expect(scene.found).toHaveLength(1);
    expect((scene.found[0] ?? 0) - silentSinceMs).toBeLessThan(PULSE_SILENT_MS + PULSE_ANSWER_MS_MIN + 50);
  });

  it("is not frozen while its process answers, however long its loop is busy", async () => {
    const scene = new Scene();
    await scene.pass(10_000);
    expect(scene.found).toEqual([]);
    expect(scene.askedCount).toBeLessThan(2 + 10_000 / PULSE_SILENT_MS);
  });

  it("has longer to answer where its answers take longer", async () => {
    const scene = new Scene();
    scene.answerMs = 100;
    await scene.pass(500);
    scene.hear();
    const silentSinceMs = scene.clock.monotonic();
    scene.answerMs = undefined;
    await scene.pass(3000);
    expect((scene.found[0] ?? 0) - silentSinceMs).toBeGreaterThanOrEqual(PULSE_SILENT_MS + PULSE_ANSWER_FACTOR * 100);
  });

  it("is not judged where it has never answered, and is asked no more than now and then", async () => {
    const scene = new Scene();
    scene.answerMs = undefined;
    await scene.pass(5 * PULSE_ANSWER_MS_MAX);
    expect(scene.found).toEqual([]);
    expect(scene.askedCount).toBeLessThanOrEqual(6);
  });

  it("is not frozen where it is heard before its time is over, nor where it has nothing to do", async () => {
    const scene = new Scene();
    await scene.pass(100);
    scene.answerMs = undefined;
    await scene.pass(PULSE_SILENT_MS + 100);
    scene.hear({ status: member("a", { runningCount: 0 }).status });
    await scene.pass(5000);
    expect(scene.found).toEqual([]);
  });

  it("does not hold up what is placed there: the placement ends as soon as it is found frozen", async () => {
    const scene = new Scene();
    scene.hear({ status: member("a", { runningCount: 0 }).status });
    await scene.pass(1000);
    scene.answerMs = undefined;
    using placing = scene.pulses.placing(A);
    await scene.pass(PULSE_SILENT_MS);
    expect(placing.frozen.aborted).toBe(false);
    await scene.pass(PULSE_ANSWER_MS_MIN + 50);
    await settled();
    expect(placing.frozen.aborted).toBe(true);
    expect(scene.found).toHaveLength(1);
  });
});
