import { type KvUse, NO_COSTS, type StepCosts, type WorkerId } from "@drover/core";
import type { ExpertRows } from "../experts/expert-heat.ts";

/** Tokens of prompts that began, and those of them that were found in the prefix cache. */
export type PrefixCounts = Readonly<{ promptTokenCount: number; cachedTokenCount: number }>;

/** Rows that an expert was asked for. */
export type HotExpert = Readonly<{ layer: number; expert: number; rowCount: number }>;

/** A holder of experts, as an attention worker finds it: how many times as long as the others it takes, 1 unless it is clearly slow, and whether it answers at all. */
export type SlowPeer = Readonly<{ workerId: WorkerId; slowness: number; isSilent: boolean }>;

/** What the memory of a worker's card is used for, in bytes: `unused` is taken and empty, `other` what anybody took since the worker opened it and no part of it counts. */
export type CardBytes = Readonly<
  Record<"weights" | "kv" | "activations" | "exchange" | "unused" | "other" | "free", number>
>;

/** What a worker says of itself with every heartbeat. Placement decides by the first half of it; people look at all of it. */
export type WorkerStatus = Readonly<{
  /** Weights loaded and warmed, and for attention a usable expert map. */
  ready: boolean;
  /** The worker takes nothing new, and finishes or hands back what it has. */
  draining: boolean;
  runningCount: number;
  waitingCount: number;
  /** Tokens that its waiting requests will have to prefill. */
  waitingTokenCount: number;
  /** Longest prompt plus output that its KV could ever hold. */
  contextTokensMax: number;
  /** Allocated: what requests hold, and what only the prefix cache keeps. */
  kvBytesUsed: number;
  kvBytesMax: number;
  /** A request of t tokens takes about kvBytesPerToken * t + kvBytesFixed. */
  kvBytesPerToken: number;
  kvBytesFixed: number;
  /** By kind of layers; undefined for a kind that it does not keep. */
  globalKv: KvUse | undefined;
  localKv: KvUse | undefined;
  /** What may get longer than `aboveTokens` takes KV for `keptTokens` at most; the rest is with context workers. Undefined: nothing is striped. */
  striping: Readonly<{ aboveTokens: number; keptTokens: number }> | undefined;
  /** What its steps are predicted to take. */
  costs: StepCosts;
  /** Predicted milliseconds that each accepted prompt still needs, ascending; of very many, the last one holds all the others. */
  pendingPromptMs: readonly number[];
  /** Rises with every step: tells a busy worker from one that hangs. */
  progress: number;
  /** Unix milliseconds, by the worker's clock. */
  sentAtMs: number;
  /** Counts since the worker started. */
  prefix: PrefixCounts;
  /** Tokens that its requests were given. */
  generatedTokenCount: number;
  /** Rows that its own experts have computed. */
  expertRowCount: number;
  /** Experts that its requests' rows were routed to most, best first. */
  hottest: readonly HotExpert[];
  /** Rows that its requests were routed to each expert since it started. Empty most of the time: it is told now and then. */
  expertRows: ExpertRows;
  /** Holders of experts that answer it slowly, or not at all. */
  slowPeers: readonly SlowPeer[];
  /** Its card, such as `cuda:0`; undefined without one. */
  card: (CardBytes & Readonly<{ device: string }>) | undefined;
  /** Milliseconds that its steps computed since it started: all of theirs but waiting for rows of other workers' experts. */
  computedMs: number;
  /** Frames of rows that it sent to other workers' experts, by how they went. */
  frames: Readonly<{ sharedMemory: number; grpc: number }>;
}>;

/** What a worker says that has nothing to say. */
export const NO_STATUS: WorkerStatus = {
  ready: true,
  draining: false,
  runningCount: 0,
  waitingCount: 0,
  waitingTokenCount: 0,
  contextTokensMax: 0,
  kvBytesUsed: 0,
  kvBytesMax: 0,
  kvBytesPerToken: 0,
  kvBytesFixed: 0,
  globalKv: undefined,
  localKv: undefined,
  striping: undefined,
  costs: NO_COSTS,
  pendingPromptMs: [],
  progress: 0,
  sentAtMs: 0,
  prefix: { promptTokenCount: 0, cachedTokenCount: 0 },
  generatedTokenCount: 0,
  expertRowCount: 0,
  hottest: [],
  expertRows: new Map(),
  slowPeers: [],
  card: undefined,
  computedMs: 0,
  frames: { sharedMemory: 0, grpc: 0 },
};

/** Bytes that only the prefix cache keeps: they give way to requests. */
export function cachedBytes({ globalKv, localKv }: Pick<WorkerStatus, "globalKv" | "localKv">): number {
  return [globalKv, localKv].reduce((sum, kv) => sum + (kv?.cached ?? 0), 0);
}
