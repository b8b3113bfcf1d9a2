import type { KvDtype, WorkerRole } from "@drover/core";
import type { ExpertRows, ExpertSet, WorkerStatus } from "@drover/fleet";
import type { RpcService } from "@drover/rpc";
import type { WorkerOrder } from "@drover/wire";
import type { ReportedCache } from "./link/cache-report.ts";
import type { UnfinishedWork } from "./unfinished-work.ts";

/** What a role adds to the introduction of its worker to a scheduler. */
export type RoleIntroduction = Readonly<{
  /** Experts of all layers together that it has memory for; 0: no limit. */
  expertCountMax?: number;
  /** What it keeps keys and values as. */
  kvDtype?: KvDtype;
}>;

/**
 * One of the things that a worker does, with all that belongs to it. A role is made with its weights loaded, is reached by its services, works
 * until the worker has ended (`RoleContext.ended`), and is disposed once its services are reached no more.
 */
export interface Role extends AsyncDisposable {
  readonly name: WorkerRole;
  /** By which peers reach it. */
  readonly services: readonly RpcService[];
  readonly introduction: RoleIntroduction;
  /** What it has to finish before the worker ends. */
  readonly unfinished: UnfinishedWork;
  /** Resolves when it can do its work for the first time. */
  readonly ready: Promise<void>;
  /** Its part of the worker's status. */
  status(): Partial<WorkerStatus>;
  /** What it shows of itself at `/debug/worker`. */
  facts(): Readonly<Record<string, unknown>>;
  /** Why it cannot work now, in a sentence; null when it can. */
  unready(): string | null;
  /** Takes an order of the scheduler; orders that are none of its business it ignores. */
  obey(order: WorkerOrder): void;
  /** Works until the worker has ended. Rejects when it cannot go on. */
  run(): Promise<void>;
  /** The experts that it holds, where it holds experts. */
  loaded?(): ExpertSet;
  /** Rows that its requests were routed to each expert since it started, where it has requests. */
  expertRows?(): ExpertRows;
  /** What placement may know of its prefix cache, where it has one. */
  readonly cache?: ReportedCache;
}
