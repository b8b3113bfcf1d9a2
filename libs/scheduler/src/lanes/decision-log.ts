import { create } from "@bufbuild/protobuf";
import { BoundedMap, type JobLease, type RequestId } from "@drover/core";
import type { Candidate, PlacementDecision } from "@drover/fleet";
import {
  type CandidateTimes,
  CandidateTimesSchema,
  PlacementDecisionSchema,
  type PlacementDecision as WireDecision,
} from "@drover/proto";
import { DECISIONS_OF_REQUEST_MAX, REQUESTS_REMEMBERED_MAX } from "../limits.ts";

/**
 * Why requests went where they went: the last decisions about the last requests, with what each candidate was predicted to take. Equal
 * decisions that follow each other count as one. Numbers and names alone; nothing of a prompt.
 */
export class DecisionLog {
  readonly #byRequest = new BoundedMap<RequestId, WireDecision[]>({ entriesMax: REQUESTS_REMEMBERED_MAX });

  record({ job, attempt }: JobLease, decision: PlacementDecision, wallMs: number): void {
    const { requestId, lane, promptTokenCount } = job;
    const decisions = this.#byRequest.get(requestId) ?? [];
    this.#byRequest.set(requestId, decisions);
    const workerId =
      decision.kind === "worker" ? decision.workerId : decision.kind === "wait" ? (decision.claim ?? "") : "";
    const now = BigInt(Math.round(wallMs));
    const candidates = decision.ranking.map(timesOf);
    const last = decisions.at(-1);
    if (last?.kind === decision.kind && last.workerId === workerId && last.attempt === attempt && last.outcome === "") {
      last.lastAtMs = now;
      last.times += 1;
      last.candidates = candidates;
      return;
    }
    const reason = decision.kind === "never" ? decision.reason : reasonOf(decision);
    decisions.push(
      create(PlacementDecisionSchema, {
        requestId,
        attempt,
        lane,
        promptTokenCount: BigInt(promptTokenCount),
        kind: decision.kind,
        workerId,
        reason,
        firstAtMs: now,
        lastAtMs: now,
        times: 1,
        candidates,
        candidateCount: decision.candidateCount,
      }),
    );
    if (decisions.length > DECISIONS_OF_REQUEST_MAX) decisions.shift();
  }

  /** What became of the last decision about the request. */
  conclude(request: RequestId, outcome: string): void {
    const last = this.#byRequest.get(request)?.at(-1);
    if (last !== undefined) last.outcome = outcome;
  }

  /** Oldest first; empty for a request that is not remembered. */
  of(request: string): readonly WireDecision[] {
    return this.#byRequest.get(request as RequestId) ?? [];
  }
}

/** The best candidate's word for it: why it was chosen, or why even it had no room. */
function reasonOf({ kind, ranking }: PlacementDecision): string {
  const [best] = ranking;
  if (best === undefined) return "no worker is known";
  if (kind === "worker") return "the first token is predicted soonest, or as soon and the worker has less to do";
  return `no worker takes it now: ${best.workerId} says ${best.refusal ?? "nothing"}`;
}

function timesOf({ workerId, refusal, time, cachedTokenCount, kvBytesFree }: Candidate): CandidateTimes {
  return create(CandidateTimesSchema, {
    workerId,
    refusal: refusal ?? "",
    ...time,
    cachedTokenCount: BigInt(cachedTokenCount),
    kvBytesFree: BigInt(Math.round(kvBytesFree)),
  });
}
