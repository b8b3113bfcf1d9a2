import { create } from "@bufbuild/protobuf";
import type { KvUse, StepCosts } from "@drover/core";
import { type WorkerStatus, WorkerStatusSchema } from "@drover/proto";

/** A worker's status, as its roles say it: what placement decides by. Zero, or undefined, is what none of them speaks of. */
export type StatusFacts = Readonly<{
  /** Whether work can be done, as far as other workers are needed for it. */
  ready: boolean;
  /** Choices that hold KV, and those that wait for their first step. */
  runningCount: number;
  waitingCount: number;
  /** Tokens that are not computed yet and will take KV here. */
  waitingTokenCount: number;
  /** The longest sequence that its KV could ever hold. */
  contextTokensMax: number;
  /** Rises with every step. */
  progress: number;
  kvBytesUsed: number;
  kvBytesMax: number;
  /** A sequence of t tokens takes about `kvBytesPerToken * t + kvBytesFixed`. */
  kvBytesPerToken: number;
  kvBytesFixed: number;
  globalKv: KvUse | undefined;
  localKv: KvUse | undefined;
  /** A request that may get longer than the first has its old rows with context workers, and keeps no more than the second here; 0: none has. */
  stripeAboveTokens: number;
  stripedTokensKept: number;
  /** What its steps are predicted to take. */
  costs: StepCosts | undefined;
  /** Milliseconds that each accepted prompt still needs, ascending; the last one may hold several. */
  pendingPromptMs: readonly number[];
  /** Prompt tokens of requests that began, and those of them that were cached. */
  prefix: Readonly<{ promptTokenCount: number; cachedTokenCount: number }>;
  /** Rows that its own experts have computed. */
  expertRowCount: number;
  /** Experts that its requests' rows were routed to most, best first. */
  hottest: readonly Readonly<{ layer: number; expert: number; rowCount: number }>[];
}>;

/** What a worker says whose roles say nothing. */
export const NO_STATUS: StatusFacts = {
  ready: true,
  runningCount: 0,
  waitingCount: 0,
  waitingTokenCount: 0,
  contextTokensMax: 0,
  progress: 0,
  kvBytesUsed: 0,
  kvBytesMax: 0,
  kvBytesPerToken: 0,
  kvBytesFixed: 0,
  globalKv: undefined,
  localKv: undefined,
  stripeAboveTokens: 0,
  stripedTokensKept: 0,
  costs: undefined,
  pendingPromptMs: [],
  prefix: { promptTokenCount: 0, cachedTokenCount: 0 },
  expertRowCount: 0,
  hottest: [],
};

/** The status as it is sent. */
export function statusMessage(
  facts: StatusFacts,
  { draining, sentAtMs }: Readonly<{ draining: boolean; sentAtMs: number }>,
): WorkerStatus {
  const { globalKv, localKv, costs, prefix } = facts;
  return create(WorkerStatusSchema, {
    ready: facts.ready,
    draining,
    sentAtMs: BigInt(sentAtMs),
    runningCount: facts.runningCount,
    waitingCount: facts.waitingCount,
    waitingTokenCount: BigInt(facts.waitingTokenCount),
    contextTokensMax: BigInt(facts.contextTokensMax),
    progress: BigInt(facts.progress),
    kvBytesUsed: BigInt(facts.kvBytesUsed),
    kvBytesMax: BigInt(facts.kvBytesMax),
    kvBytesPerToken: BigInt(facts.kvBytesPerToken),
    kvBytesFixed: BigInt(facts.kvBytesFixed),
    ...(globalKv && { globalKv: bytesMessage(globalKv) }),
    ...(localKv && { localKv: bytesMessage(localKv) }),
    stripeAboveTokens: BigInt(facts.stripeAboveTokens),
    stripedTokensKept: BigInt(facts.stripedTokensKept),
    ...(costs && { costs }),
    pendingPromptMs: [...facts.pendingPromptMs],
    prefix: {
      promptTokenCount: BigInt(prefix.promptTokenCount),
      cachedTokenCount: BigInt(prefix.cachedTokenCount),
    },
    expertRowCount: BigInt(facts.expertRowCount),
    hottest: facts.hottest.map((hot) => ({ ...hot, rowCount: BigInt(hot.rowCount) })),
  });
}

const bytesMessage = ({ referenced, cached }: KvUse) => ({ referenced: BigInt(referenced), cached: BigInt(cached) });
