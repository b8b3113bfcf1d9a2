import { type DroverError, modelId, workerId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GONE_AFTER_MS, SUSPECT_AFTER_MS } from "../limits.ts";
import type { WorkerProfile } from "./member.ts";
import { Membership, type MembershipChange } from "./membership.ts";
import { NO_STATUS, type WorkerStatus } from "./worker-status.ts";

const profile = (id: string, incarnation = "life-1"): WorkerProfile => ({
  workerId: workerId(id),
  incarnation,
  modelId: modelId("nano"),
  roles: ["experts"],
  address: `${id}:1`,
  adminAddress: "",
});

const status: WorkerStatus = { ...NO_STATUS, kvBytesMax: 1000, kvBytesPerToken: 1, contextTokensMax: 1000 };

const told = (changes: readonly MembershipChange[]) =>
  changes.map((change) =>
    change.kind === "gone"
      ? `${change.member.profile.workerId} gone ${change.reason}`
      : `${change.member.profile.workerId} ${change.kind}`,
  );

describe("Membership", () => {
  it("a worker that misses three heartbeats is suspected, and recovers with its next report", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    expect(told(membership.tick(SUSPECT_AFTER_MS - 1))).toEqual([]);
    expect(told(membership.tick(SUSPECT_AFTER_MS))).toEqual(["a suspected"]);
    expect(told(membership.tick(SUSPECT_AFTER_MS + 1))).toEqual([]);
    expect(told(membership.status(1, status, SUSPECT_AFTER_MS + 2))).toEqual(["a recovered", "a status"]);
    expect(membership.get(workerId("a"))?.suspected).toBe(false);
  });

  it("a frozen worker is suspected until it is heard again, and each time for longer while others decode", () => {
    const membership = new Membership();
    const decodes = (id: string): WorkerProfile => ({ ...profile(id), roles: ["attention"] });
    for (const [i, id] of ["a", "b"].entries()) membership.join(decodes(id), i + 1, 0);
    const frozen = () => membership.get(workerId("a"))?.frozen;
    expect(told(membership.freeze(1, 10))).toEqual(["a suspected"]);
    expect([frozen(), told(membership.freeze(1, 20))]).toEqual([true, []]);
    expect(told(membership.status(1, status, 30))).toEqual(["a recovered", "a status"]);
    expect(frozen()).toBe(false);
    membership.freeze(1, 40);
    expect(told(membership.status(1, status, 50))).toEqual(["a status"]);
    // Where nobody else decodes, it is all that there is.
    membership.disconnect(2);
    expect(told(membership.status(1, status, 60))).toEqual(["a recovered", "a status"]);
  });

  it("a worker that stays silent is gone once", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    membership.tick(SUSPECT_AFTER_MS);
    expect(told(membership.tick(GONE_AFTER_MS))).toEqual(["a gone silent"]);
    expect(told(membership.tick(GONE_AFTER_MS + 1))).toEqual([]);
    expect(told(membership.status(1, status, GONE_AFTER_MS + 2))).toEqual([]);
  });

  it("says when the next silence is due: nothing changes before, and something then", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { minLength: 1, maxLength: 5 }), (joinedMs) => {
        const membership = new Membership();
        const inTurn = joinedMs.toSorted((a, b) => a - b);
        for (const [i, ms] of inTurn.entries()) membership.join(profile(`w${i}`), i + 1, ms);
        while (membership.members.length > 0) {
          const { dueMs } = membership;
          expect(membership.tick(dueMs - 1)).toEqual([]);
          expect(membership.tick(dueMs)).not.toEqual([]);
        }
        expect(membership.dueMs).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  it("a worker is gone as soon as its stream ends", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    expect(told(membership.disconnect(1))).toEqual(["a gone disconnected"]);
    expect(membership.members).toEqual([]);
  });

  it("a new life replaces the old one, and nothing that the old stream says or does late touches it", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    membership.loaded(1, new Map([[1, new Set([0])]]), 1);
    expect(told(membership.join(profile("a", "life-2"), 2, 5))).toEqual(["a gone replaced", "a joined"]);
    expect(membership.get(workerId("a"))?.loaded).toBeUndefined();
    expect(told(membership.status(1, status, 6))).toEqual([]);
    expect(told(membership.disconnect(1))).toEqual([]);
    expect(membership.get(workerId("a"))?.profile.incarnation).toBe("life-2");
  });

  it("the same life on a new stream keeps what it had reported", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    membership.status(1, status, 1);
    membership.loaded(1, new Map([[1, new Set([0])]]), 1);
    membership.join(profile("a"), 2, 5);
    expect(membership.get(workerId("a"))?.loaded?.get(1)).toEqual(new Set([0]));
    expect(membership.get(workerId("a"))?.status).toEqual(status);
  });

  it("a leaving worker stays a member until its stream ends", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    expect(told(membership.leave(1, 1))).toEqual(["a leaving"]);
    expect(membership.get(workerId("a"))?.leaving).toBe(true);
    expect(told(membership.disconnect(1))).toEqual(["a gone disconnected"]);
  });

  it("a worker that begins to drain, or ends to, is told of once each time", () => {
    const membership = new Membership();
    membership.join(profile("a"), 1, 0);
    expect(told(membership.status(1, status, 1))).toEqual(["a status"]);
    expect(told(membership.status(1, { ...status, draining: true }, 2))).toEqual(["a status", "a draining"]);
    expect(told(membership.status(1, { ...status, draining: true }, 3))).toEqual(["a status"]);
    expect(told(membership.status(1, status, 4))).toEqual(["a status", "a undrained"]);
  });

  it("a full fleet refuses a new worker but lets a known one come back", () => {
    const membership = new Membership({ memberCountMax: 1 });
    membership.join(profile("a"), 1, 0);
    expect(() => membership.join(profile("b"), 2, 0)).toThrowError(
      expect.objectContaining({ code: "overloaded" } satisfies Partial<DroverError>),
    );
    expect(told(membership.join(profile("a", "life-2"), 3, 0))).toEqual(["a gone replaced", "a joined"]);
  });

  it("for every history: joins minus departures are the members, and each member has exactly one session", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("join" as const), id: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constant("end" as const), session: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constant("status" as const), session: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 6000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const membership = new Membership();
        const present = new Map<string, number>();
        let now = 0;
        let session = 0;
        for (const one of steps) {
          let changes: readonly MembershipChange[] = [];
          if (one.kind === "join") {
            session += 1;
            changes = membership.join(profile(`w${one.id}`, `life-${session}`), session, now);
          } else if (one.kind === "end") changes = membership.disconnect(one.session);
          else if (one.kind === "status") changes = membership.status(one.session, status, now);
          else {
            now += one.ms;
            changes = membership.tick(now);
          }
          for (const change of changes) {
            const id = change.member.profile.workerId;
            if (change.kind === "joined") {
              expect(present.has(id)).toBe(false);
              present.set(id, change.member.session);
            } else if (change.kind === "gone") {
              expect(present.get(id)).toBe(change.member.session);
              present.delete(id);
            } else expect(present.get(id)).toBe(change.member.session);
          }
        }
        expect(new Map(membership.members.map((m) => [m.profile.workerId as string, m.session]))).toEqual(present);
      }),
    );
  });
});
