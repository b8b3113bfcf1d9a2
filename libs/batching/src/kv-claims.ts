import { type Holder, owes } from "./preemption.ts";

/** What a choice wants of the KV: what it holds, and what it takes to go on. */
export type KvClaim = Holder &
  Readonly<{
    /** Bytes that it will hold soon: those of all that is known of it, and of a little more. */
    bytesSoon: number;
    /** Whether a step could serve it now, if there is room. */
    isReady: boolean;
  }>;

/** Whether a claim has to be granted before a step serves it: it holds no KV yet, or found none for its next rows. */
export function needsRoom({ byteCount, waitedMs }: Pick<Holder, "byteCount" | "waitedMs">): boolean {
  return byteCount === 0 || waitedMs !== undefined;
}

/**
 * Claims that are ready and wait all the same, because there is no room for them. One that needs room gets it when what it takes soon fits
 * beside what is promised to the others, less what these owe it by right of age. So a preempted choice does not take its rows back from the one
 * that it gave way to, and nobody takes up rows of a step that there is no memory for. The oldest is asked first.
 */
export function claimsWithoutRoom<T extends KvClaim>(claims: readonly T[], bytesMax: number): readonly T[] {
  let promised = claims.reduce((sum, claim) => sum + promisedBytes(claim), 0);
  const waiting: T[] = [];
  for (const claim of claims.filter((each) => each.isReady && needsRoom(each)).sort((a, b) => a.id - b.id)) {
    const more = Math.max(0, claim.bytesSoon - claim.byteCount);
    if (promised + more - owedBytes(claim, claims) <= bytesMax) promised += more;
    else waiting.push(claim);
  }
  return waiting;
}

/** What a claim is sure of: one that goes on of what it takes soon, one that needs room of what it holds. */
function promisedBytes(claim: KvClaim): number {
  return needsRoom(claim) ? claim.byteCount : Math.max(claim.byteCount, claim.bytesSoon);
}

function owedBytes(needy: KvClaim, claims: readonly KvClaim[]): number {
  if (needy.waitedMs === undefined) return 0;
  return claims.reduce((sum, claim) => (owes(claim, needy) ? sum + promisedBytes(claim) : sum), 0);
}
