import fc from "fast-check";
import { expect, test } from "vitest";
import { claimsWithoutRoom, type KvClaim, needsRoom } from "./kv-claims.ts";

const claims = fc
  .array(
    fc.record({
      byteCount: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 })),
      bytesSoon: fc.integer({ min: 1, max: 500 }),
      recomputeMs: fc.integer({ min: 0, max: 50 }),
      preemptionCount: fc.nat(3),
      waitedMs: fc.option(fc.nat(60), { nil: undefined }),
      isReady: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((list) => list.map((one, id): KvClaim => ({ ...one, id })));

const soon = (claim: KvClaim) => Math.max(claim.byteCount, claim.bytesSoon);

test("nobody waits where all that is wanted fits, and only those that are ready and need room ever do", () => {
  fc.assert(
    fc.property(claims, fc.nat(3000), (list, bytesMax) => {
      const waiting = claimsWithoutRoom(list, bytesMax);
      for (const claim of waiting) expect(claim.isReady && needsRoom(claim)).toBe(true);
      if (list.reduce((sum, claim) => sum + soon(claim), 0) <= bytesMax) expect(waiting).toEqual([]);
    }),
  );
});

test("what goes on without right of age fits beside what the others hold", () => {
  fc.assert(
    fc.property(claims, fc.nat(3000), (list, bytesMax) => {
      // Who has not waited is owed nothing.
      const fresh = list.map((claim) => ({ ...claim, waitedMs: undefined }));
      const waiting = new Set(claimsWithoutRoom(fresh, bytesMax));
      const granted = fresh.filter((claim) => claim.isReady && needsRoom(claim) && !waiting.has(claim));
      const held = fresh.reduce((sum, claim) => sum + (needsRoom(claim) ? claim.byteCount : soon(claim)), 0);
      const more = granted.reduce((sum, claim) => sum + Math.max(0, claim.bytesSoon - claim.byteCount), 0);
      if (granted.length > 0) expect(held + more).toBeLessThanOrEqual(bytesMax);
    }),
  );
});

test("a younger choice that holds nothing makes no older one wait", () => {
  fc.assert(
    fc.property(claims, fc.integer({ min: 1, max: 500 }), fc.nat(3000), (list, bytesSoon, bytesMax) => {
      const young = {
        id: list.length,
        byteCount: 0,
        bytesSoon,
        recomputeMs: 0,
        preemptionCount: 0,
        waitedMs: undefined,
      };
      const before = claimsWithoutRoom(list, bytesMax).map(({ id }) => id);
      const after = claimsWithoutRoom([...list, { ...young, isReady: true }], bytesMax).map(({ id }) => id);
      expect(after.filter((id) => id !== young.id)).toEqual(before);
    }),
  );
});

test("one that has waited as long as a younger one's rows take to compute comes in on what that holds", () => {
  const old = { id: 1, byteCount: 0, bytesSoon: 80, recomputeMs: 0, preemptionCount: 0, isReady: true };
  const young = { id: 2, byteCount: 90, bytesSoon: 95, recomputeMs: 40, preemptionCount: 0, waitedMs: undefined };
  const waits = (waitedMs: number) =>
    claimsWithoutRoom(
      [
        { ...old, waitedMs },
        { ...young, isReady: true },
      ],
      100,
    );
  expect(waits(39)).toHaveLength(1);
  expect(waits(40)).toEqual([]);
});
