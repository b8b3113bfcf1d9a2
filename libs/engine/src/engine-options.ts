import type { Clock, ExpertExchange, FeatureSource, Logger, ModelRunner } from "@drover/core";
import type { KvGeometry } from "@drover/kv";

/** What the engine reports as it happens; everything here is cheap and never throws. */
export interface EngineObserver {
  stepEnded(
    facts: Readonly<{ rowCount: number; decodeCount: number; totalMs: number; sessionMs: number; exchangeMs: number }>,
  ): void;
  tokensComputed(promptCount: number, generatedCount: number): void;
  preempted(): void;
  parked(choiceCount: number): void;
}

export type EngineOptions = Readonly<{
  runner: ModelRunner;
  geometry: KvGeometry;
  exchange: ExpertExchange;
  /** Where the features of prompts' images come from. */
  features: FeatureSource;
  /** Prompt rows in one step. */
  prefillRowsMax: number;
  detachGraceMs: number;
  clock: Clock;
  logger: Logger;
  observer: EngineObserver;
  /** Lets streams and timers run between two steps. */
  breathe: () => Promise<void>;
}>;
