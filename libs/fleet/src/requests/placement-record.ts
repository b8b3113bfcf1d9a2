import type { Lane, RequestId, WorkerId } from "@drover/core";
import type { PlacementCandidate, PlacementDecision } from "./request-placement.ts";

export const PLACEMENT_KINDS = ["worker", "wait", "never"] as const satisfies readonly PlacementDecision["kind"][];

/** Why a request went where it went: one decision about it, as it is remembered. Numbers and names alone, nothing of a prompt. */
export type PlacementRecord = Readonly<{
  requestId: RequestId;
  attempt: number;
  lane: Lane;
  promptTokenCount: number;
  kind: (typeof PLACEMENT_KINDS)[number];
  /** Where the request went; with `wait` whose room it waits for, where that is known. */
  workerId: WorkerId | undefined;
  reason: string;
  /** Unix milliseconds of the first and of the last time that it was decided so, and how often. */
  firstAtMs: number;
  lastAtMs: number;
  times: number;
  /** `accepted`, `refused`, `unknown` or `dropped`, with the code; undefined while it is under way. */
  outcome: string | undefined;
  /** The best ones, best first. */
  candidates: readonly PlacementCandidate[];
  /** Workers that were looked at. */
  candidateCount: number;
}>;
