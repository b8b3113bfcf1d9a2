import type { ModelId, StepCosts, WorkerId } from "@drover/core";

export const ROLES = ["attention", "experts", "context", "vision"] as const;
export type Role = (typeof ROLES)[number];

/** What a worker says of itself when it joins; does not change in one life. */
export type WorkerProfile = Readonly<{
  workerId: WorkerId;
  /** One life of the worker's process. */
  incarnation: string;
  modelId: ModelId;
  roles: readonly Role[];
  /** What peers dial for gRPC. */
  address: string;
  adminAddress: string;
  /** Routed experts, of all layers together, that its memory holds; absent: it has set no limit. */
  expertCountMax?: number;
}>;

/** What a worker says of itself with every heartbeat. */
export type WorkerStatus = Readonly<{
  /** Weights loaded and warmed, and for attention a usable expert map. */
  ready: boolean;
  /** It takes nothing new, and finishes or hands back what it has. */
  draining: boolean;
  kvBytesUsed: number;
  kvBytesMax: number;
  /** A request of t tokens takes about kvBytesPerToken * t + kvBytesFixed. */
  kvBytesPerToken: number;
  kvBytesFixed: number;
  /** What may get longer than `aboveTokens` takes KV for `keptTokens` at most; the rest is with context workers. */
  striping?: Readonly<{ aboveTokens: number; keptTokens: number }> | undefined;
  runningCount: number;
  waitingCount: number;
  /** Tokens that its waiting requests will have to prefill. */
  waitingTokenCount: number;
  /** Longest prompt plus output that its KV could ever hold. */
  contextTokensMax: number;
  /** Of kvBytesUsed, what only the prefix cache keeps. */
  kvBytesCached: number;
  /** What its steps cost, in milliseconds; all 0 before it has measured them. */
  costs: StepCosts;
  /** Predicted milliseconds that each accepted prompt still needs, ascending; of very many, the last one holds all the others. */
  pendingPromptMs: readonly number[];
}>;

/** Experts that a worker has in memory, by MoE layer. */
export type LoadedExperts = ReadonlyMap<number, ReadonlySet<number>>;

/** How many these are, of all layers; 0 of a worker that has not said. */
export function loadedCount(loaded: LoadedExperts | undefined): number {
  return [...(loaded?.values() ?? [])].reduce((sum, { size }) => sum + size, 0);
}

/** A worker as the scheduler knows it. A new value replaces the old one with every change. */
export type Member = Readonly<{
  /** The Join stream that speaks for it: the same life may come back on another one. */
  session: number;
  profile: WorkerProfile;
  joinedAtMs: number;
  heardAtMs: number;
  /** Silent for too long; still a member. */
  suspected: boolean;
  /** Going away by itself: gets nothing new. */
  leaving: boolean;
  /** Undefined until the first report. */
  status: WorkerStatus | undefined;
  loaded: LoadedExperts | undefined;
}>;
