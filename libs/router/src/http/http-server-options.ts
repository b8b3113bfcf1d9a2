import type { Clock, Logger } from "@drover/core";
import type { Certificates } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";
import type { ApiKeys } from "../api-keys.ts";
import type { BatchSettings } from "../batches/batch-settings.ts";
import type { Bodies } from "../bodies/bodies.ts";
import type { Deployments } from "../deployments.ts";
import type { MemoryBudgets } from "../memory/memory-budgets.ts";
import type { TenantUsage } from "../requests/tenant-usage.ts";

/** What the HTTP interface answers from. */
export type HttpServerOptions = Readonly<{
  deployments: Deployments;
  keys: ApiKeys;
  usage: TenantUsage;
  metrics: Metrics;
  logger: Logger;
  ready: () => boolean;
  /** Of Drover. */
  version: string;
  /** Origins of pages that may use it from a browser; `*` for all. */
  corsOrigins: readonly string[];
  /** Whether a page for people is at `/`. */
  page: boolean;
  /** Aborts when the router was asked to end: clients are told to connect anew, to another one. */
  ending: AbortSignal;
  /** A streamed reply without text gets a sign of life this often. */
  streamWaitMs: number;
  /** Batches that it answers besides. */
  batches: BatchSettings;
  clock: Clock;
  /** Connections at once; more are closed as they come. */
  connectionsMax: number;
  /** With them it speaks TLS alone. */
  certificates?: Certificates | undefined;
  /** What reads the bodies, and gRPC's messages too; it ends with the server. */
  bodies: Bodies;
  /** What replies count in that their clients have not read. */
  budgets: MemoryBudgets;
}>;
