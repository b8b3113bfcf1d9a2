import { FIRST_PLAN_WAIT_MS, LOADED_REPORT_WAIT_MS, REJOIN_WAIT_MS } from "../limits.ts";
import { type ActiveExperts, type ExpertWorker, isComplete } from "./active-map.ts";

const holdsSomething = (worker: ExpertWorker) => [...(worker.loaded?.values() ?? [])].some(({ size }) => size > 0);

/**
 * When the first plan may be made; Infinity while only another report can change that. Starting up must not shuffle experts,
 * so the expected number of workers is waited for; a new leader must not either, so workers that come with experts in memory
 * are waited for until together they hold all of them.
 */
export function firstPlanDueMs(
  workers: readonly ExpertWorker[],
  active: ActiveExperts,
  expectExperts: number,
  firstJoinedAtMs: number,
): number {
  if (workers.length === 0) return Number.POSITIVE_INFINITY;
  const lastMs = firstJoinedAtMs + FIRST_PLAN_WAIT_MS;
  if (workers.length < expectExperts) return lastMs;
  const reportsDueMs = workers
    .filter((worker) => worker.loaded === undefined)
    .map((worker) => worker.joinedAtMs + LOADED_REPORT_WAIT_MS);
  const rejoining = workers.some(holdsSomething) && !isComplete(active);
  return Math.min(lastMs, Math.max(firstJoinedAtMs + (rejoining ? REJOIN_WAIT_MS : 0), ...reportsDueMs));
}
