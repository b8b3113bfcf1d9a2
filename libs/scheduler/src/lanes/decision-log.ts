import { BoundedMap, type JobLease, type RequestId, type WorkerId } from "@drover/core";
import type { PlacementCandidate, PlacementDecision, PlacementRecord } from "@drover/fleet";
import { DECISIONS_OF_REQUEST_MAX, REQUESTS_REMEMBERED_MAX } from "../limits.ts";

/**
 * Why requests went where they went: the last decisions about the last requests, with what each candidate was predicted to take. Equal
 * decisions that follow each other count as one.
 */
export class DecisionLog {
  readonly #byRequest = new BoundedMap<RequestId, PlacementRecord[]>({ entriesMax: REQUESTS_REMEMBERED_MAX });

  record({ job, attempt }: JobLease, decision: PlacementDecision, wallMs: number): void {
    const { requestId, lane, promptTokenCount } = job;
    const records = this.#byRequest.get(requestId) ?? [];
    this.#byRequest.set(requestId, records);
    const workerId = workerOf(decision);
    const nowMs = Math.round(wallMs);
    const candidates = decision.ranking.map(inWholeBytes);
    const last = records.at(-1);
    const isSame = last?.kind === decision.kind && last.workerId === workerId && last.attempt === attempt;
    if (isSame && last.outcome === undefined) {
      records[records.length - 1] = { ...last, lastAtMs: nowMs, times: last.times + 1, candidates };
      return;
    }
    records.push({
      requestId,
      attempt,
      lane,
      promptTokenCount,
      kind: decision.kind,
      workerId,
      reason: reasonOf(decision),
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      times: 1,
      outcome: undefined,
      candidates,
      candidateCount: decision.candidateCount,
    });
    if (records.length > DECISIONS_OF_REQUEST_MAX) records.shift();
  }

  /** What became of the last decision about the request. */
  conclude(request: RequestId, outcome: string): void {
    const records = this.#byRequest.get(request);
    const last = records?.pop();
    if (last !== undefined) records?.push({ ...last, outcome });
  }

  /** Oldest first; empty for a request that is not remembered. */
  of(request: string): readonly PlacementRecord[] {
    return this.#byRequest.get(request as RequestId) ?? [];
  }
}

/** Where the request goes, or whose room it waits for. */
function workerOf(decision: PlacementDecision): WorkerId | undefined {
  if (decision.kind === "worker") return decision.workerId;
  return decision.kind === "wait" ? decision.claim : undefined;
}

/** The best candidate's word for it: why it was chosen, or why even it had no room. */
function reasonOf(decision: PlacementDecision): string {
  if (decision.kind === "never") return decision.reason;
  const [best] = decision.ranking;
  if (best === undefined) return "no worker is known";
  if (decision.kind === "worker")
    return "the first token is predicted soonest, or as soon and the worker has less to do";
  return `no worker takes it now: ${best.workerId} says ${best.refusal ?? "nothing"}`;
}

const inWholeBytes = (candidate: PlacementCandidate): PlacementCandidate => ({
  ...candidate,
  kvBytesFree: Math.round(candidate.kvBytesFree),
});
