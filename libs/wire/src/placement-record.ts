import { create } from "@bufbuild/protobuf";
import { LANES, requestId, workerId } from "@drover/core";
import { CANDIDATE_REFUSALS, PLACEMENT_KINDS, type PlacementCandidate, type PlacementRecord } from "@drover/fleet";
import {
  type CandidateTimes,
  CandidateTimesSchema,
  type ExplainReply,
  ExplainReplySchema,
  type PlacementDecision as Message,
  PlacementDecisionSchema,
} from "@drover/proto";
import { numberFromWire } from "./numbers.ts";
import { nameFromWire, textFromWire } from "./text.ts";

/** All that is remembered about one request, oldest first. */
export function explainReplyToWire(records: readonly PlacementRecord[]): ExplainReply {
  return create(ExplainReplySchema, { decisions: records.map(placementRecordToWire) });
}

/** Errors: `invalid_argument`, naming the field. */
export function explainReplyFromWire({ decisions }: ExplainReply): PlacementRecord[] {
  return decisions.map(placementRecordFromWire);
}

function placementRecordToWire(record: PlacementRecord): Message {
  const { promptTokenCount, workerId = "", firstAtMs, lastAtMs, outcome = "", candidates, ...same } = record;
  return create(PlacementDecisionSchema, {
    ...same,
    promptTokenCount: BigInt(promptTokenCount),
    workerId,
    firstAtMs: BigInt(firstAtMs),
    lastAtMs: BigInt(lastAtMs),
    outcome,
    candidates: candidates.map(candidateToWire),
  });
}

function placementRecordFromWire(message: Message): PlacementRecord {
  const { attempt, reason, times, candidateCount } = message;
  return {
    requestId: requestId(message.requestId),
    attempt,
    lane: nameFromWire(LANES, message.lane, "lane"),
    promptTokenCount: numberFromWire(message.promptTokenCount, "prompt_token_count"),
    kind: nameFromWire(PLACEMENT_KINDS, message.kind, "kind"),
    workerId: message.workerId === "" ? undefined : workerId(message.workerId),
    reason,
    firstAtMs: numberFromWire(message.firstAtMs, "first_at_ms"),
    lastAtMs: numberFromWire(message.lastAtMs, "last_at_ms"),
    times,
    outcome: textFromWire(message.outcome),
    candidates: message.candidates.map(candidateFromWire),
    candidateCount,
  };
}

function candidateToWire({
  refusal,
  time,
  cachedTokenCount,
  kvBytesFree,
  ...same
}: PlacementCandidate): CandidateTimes {
  return create(CandidateTimesSchema, {
    ...same,
    ...time,
    refusal: refusal ?? "",
    cachedTokenCount: BigInt(cachedTokenCount),
    kvBytesFree: BigInt(Math.round(kvBytesFree)),
  });
}

function candidateFromWire(message: CandidateTimes): PlacementCandidate {
  const { queueMs, prefillMs, loadMs } = message;
  return {
    workerId: workerId(message.workerId),
    refusal:
      message.refusal === "" ? undefined : nameFromWire(CANDIDATE_REFUSALS, message.refusal, "candidates.refusal"),
    time: { queueMs, prefillMs, loadMs },
    cachedTokenCount: numberFromWire(message.cachedTokenCount, "candidates.cached_token_count"),
    kvBytesFree: Number(message.kvBytesFree),
  };
}
