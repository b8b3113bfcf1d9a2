import type { Clock, FeatureSource, RequestId, SequenceStore, StepRunner, StepTimes, TokenMasks } from "@drover/core";
import type { KvGeometry } from "@drover/kv";

/** One step: its rows, where the runner's time went, and the whole of it (planning, sampling and sending included) as predicted and as measured. */
export type StepFacts = StepTimes &
  Readonly<{
    rowCount: number;
    decodeCount: number;
    predictedMs: number;
    measuredMs: number;
  }>;

/** Choices that hold KV and those that wait for their first step, tokens not computed yet, and those of them that will take KV here. */
export type EngineLoad = Readonly<{
  runningCount: number;
  waitingCount: number;
  pendingTokenCount: number;
  tokenCountToStore: number;
}>;

/** Of a request that goes on here: rows that are known of its first choice, and those of them that were there. */
type ResumedCounts = Readonly<{ knownCount: number; cachedCount: number }>;

/** What the engine reports as it happens; everything here is cheap and never throws. */
export interface EngineObserver {
  stepEnded(facts: StepFacts): void;
  tokensComputed(promptCount: number, generatedCount: number): void;
  preempted(): void;
  /** A request got KV: so many tokens of its prompt were cached. */
  prefixFound(promptTokenCount: number, cachedTokenCount: number): void;
  /** A request that has told tokens elsewhere got KV behind so many rows that were there, and goes on. */
  resumed?(requestId: RequestId, attempt: number, counts: ResumedCounts): void;
  parked(choiceCount: number): void;
  /** Choices whose rows lacked other workers' answers have been computed by one step; one of them had waited for so long, and none longer. */
  unparked?(choiceCount: number, longestMs: number): void;
}

export type EngineOptions = Readonly<{
  sequences: SequenceStore;
  runner: StepRunner;
  geometry: KvGeometry;
  /** Where the features of prompts' images come from. */
  features: FeatureSource;
  /** What says which tokens the grammars of requests allow. */
  masks: TokenMasks;
  /** What a step should take while sequences decode, milliseconds. */
  stepMs: number;
  /** Prompt rows in one step: the cap of what milliseconds allow. */
  prefillRowsMax: number;
  detachGraceMs: number;
  clock: Clock;
  observer: EngineObserver;
  /** Lets streams and timers run between two steps. */
  breathe: () => Promise<void>;
}>;
