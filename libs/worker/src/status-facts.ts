import { ENGINE_LIMITS } from "@drover/engine";
import { WorkerRole } from "@drover/proto";
import type { ExpertHeat } from "./roles/attention/expert-heat.ts";

/** The roles as workers tell them. */
export const WIRE_ROLE = {
  attention: WorkerRole.ATTENTION,
  experts: WorkerRole.EXPERTS,
  vision: WorkerRole.VISION,
  context: WorkerRole.CONTEXT,
} as const;

/** The experts that the worker's requests were routed to most, as its status says it. */
export const hottestExperts = (heat: ExpertHeat) =>
  heat
    .hottest(ENGINE_LIMITS.hotExpertsMax)
    .map(({ layer, expert, rowCount }) => ({ layer, expert, rowCount: BigInt(rowCount) }));

/** Prompt tokens of requests that began, as a worker's status says it. */
export const prefixCounts = (counts: Readonly<{ promptTokenCount: number; cachedTokenCount: number }>) =>
  ({
    $typeName: "drover.internal.v1.PrefixCounts",
    promptTokenCount: BigInt(counts.promptTokenCount),
    cachedTokenCount: BigInt(counts.cachedTokenCount),
  }) as const;
