import type { Metrics } from "@drover/telemetry";
import { MEMORY_KINDS } from "../memory/memory-budget.ts";
import type { MemoryBudgets } from "../memory/memory-budgets.ts";

/** Registers what a router keeps in memory for its requests by kind, what it may keep, and the sum of all that it may hold. */
export function showMemory(metrics: Metrics, budgets: MemoryBudgets, totalBytes: number): void {
  const kind = ["kind"] as const;
  const used = metrics.gauge("drover_router_memory_bytes", "Bytes that requests keep in memory, by kind", kind);
  const budget = metrics.gauge("drover_router_memory_budget_bytes", "Bytes that they may keep, by kind", kind);
  const sum = metrics.gauge("drover_router_memory_sum_bytes", "Resident memory that the router may come to", []);
  for (const one of MEMORY_KINDS) budget.set({ kind: one }, budgets[one].bytesMax);
  sum.set(totalBytes);
  metrics.beforeScrape(() => {
    for (const one of MEMORY_KINDS) used.set({ kind: one }, budgets[one].byteCount);
  });
}
