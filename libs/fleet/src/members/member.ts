import type { KvDtype, ModelId, WorkerId, WorkerRole } from "@drover/core";
import type { WorkerStatus } from "./worker-status.ts";

/** What a worker says of itself when it joins; does not change in one life. */
export type WorkerProfile = Readonly<{
  workerId: WorkerId;
  /** One life of the worker's process. */
  incarnation: string;
  modelId: ModelId;
  roles: readonly WorkerRole[];
  /** What peers dial for gRPC. */
  address: string;
  adminAddress: string;
  /** Routed experts, of all layers together, that its memory holds; absent: it has set no limit. */
  expertCountMax?: number;
  /** Weights of one routed expert; absent: it has not said. */
  expertParameters?: number;
  /** What it keeps keys and values as; absent where it keeps none. */
  kvDtype?: KvDtype;
}>;

/** What workers that serve together have in common: one checkpoint. */
export type ServedCheckpoint = Readonly<{
  /** A digest of config.json and the tensor index. */
  fingerprint: string;
  moeLayers: readonly number[];
  /** Routed experts of each of these layers. */
  expertCount: number;
  /** Tokens of a chunk of the local layers: where a cached prefix may have to end. */
  chunkTokens: number;
}>;

/** Experts by MoE layer: what a worker has in memory, or is to have. */
export type ExpertSet = ReadonlyMap<number, ReadonlySet<number>>;

/** How many these are, of all layers; 0 of a worker that has not said. */
export function loadedCount(loaded: ExpertSet | undefined): number {
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
  /** Its process does not answer, though it may be there: what it has goes on elsewhere. Until it is heard again. */
  frozen: boolean;
  /** Going away by itself: gets nothing new. */
  leaving: boolean;
  /** Undefined until the first report. */
  status: WorkerStatus | undefined;
  loaded: ExpertSet | undefined;
}>;
