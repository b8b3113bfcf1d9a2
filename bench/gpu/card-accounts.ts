import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Served } from "./served.ts";

const ROOT = join(import.meta.dirname, "../..");
const GB = 1e9;
const HELD_MS_MAX = 120_000;

type Planned = Readonly<{
  model: Readonly<{ expertCount: number; moeLayers: readonly number[] }>;
  weights: Readonly<{ totalBytes: number; byKind: Readonly<Record<"routed" | "vision", Readonly<{ bytes: number }>>> }>;
}>;

/** What `drover plan` says that one worker's weights take, by whether it attends and how many experts of all layers it holds. */
export type PlannedWeights = (isAttention: boolean, expertCount: number) => number;

/** Asks `drover plan` for a checkpoint on so many cards. Throws with what it says where it cannot. */
export async function plannedWeights(folder: string, cards: number): Promise<PlannedWeights> {
  const flags = ["--json", "--gpus", String(cards), "--gpu-memory", "139GiB", "--kv-dtype", "f32", "--context", "8192"];
  const args = ["--conditions=@drover/source", "apps/drover/src/main.ts", "plan", folder, ...flags];
  const ran = promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 2 ** 26 });
  // The exit status says whether it fits; its figures are the same.
  const { stdout } = await ran.catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? "" }));
  const { model, weights } = JSON.parse(stdout) as Planned;
  const routed = weights.byKind.routed.bytes;
  const resident = weights.totalBytes - routed - weights.byKind.vision.bytes;
  const each = routed / (model.expertCount * model.moeLayers.length);
  return (isAttention, expertCount) => (isAttention ? resident : 0) + expertCount * each;
}

/** Waits until holders have so many experts of all layers in memory, one that several hold counted for each of them. Returns how long that took, in milliseconds. Throws where it takes too long. */
export async function untilExperts(served: Served, count: number): Promise<number> {
  const began = performance.now();
  for (let held = -1; held < count; await new Promise((resolve) => setTimeout(resolve, 100))) {
    held = await served.total("drover_experts_loaded");
    if (performance.now() - began > HELD_MS_MAX) throw new Error(`${held} experts are held, and not ${count}`);
  }
  return performance.now() - began;
}

/** What each card of a cluster says of its memory, beside the plan; `worst`: by how much of it the plan is off most. */
export async function cardAccounts(
  served: Served,
  planned: PlannedWeights,
): Promise<Readonly<{ worst: number; lines: readonly string[] }>> {
  const found = await Promise.all(
    served.workers.map(async (worker) => {
      const { card } = (await served.debug(worker)) as { card?: Record<string, number> };
      const experts = await served.metricOf(worker, "drover_experts_loaded");
      return { worker, card, expected: planned(worker.startsWith("attention"), experts), experts };
    }),
  );
  const offs = found.map(({ card, expected }) =>
    card?.weights === undefined || expected === 0 ? 0 : Math.abs(card.weights - expected) / expected,
  );
  const lines = found.flatMap(({ worker, card, expected, experts }) => {
    if (card === undefined) return [];
    const of = (kind: string) => ((card[kind] ?? Number.NaN) / GB).toFixed(2);
    return [
      `${worker}: ${experts} experts, weights ${of("weights")} GB of ${(expected / GB).toFixed(2)} planned, kv ${of("kv")}, activations ${of("activations")}, exchange ${of("exchange")}, unused ${of("unused")}, other ${of("other")}, free ${of("free")}`,
    ];
  });
  return { worst: Math.max(...offs), lines };
}

/** Rows that each worker's experts have computed so far, by worker. */
export async function expertRows(served: Served): Promise<ReadonlyMap<string, number>> {
  const holders = served.workers.filter((worker) => !worker.startsWith("context"));
  return new Map(
    await Promise.all(
      holders.map(async (worker) => [worker, await served.metricOf(worker, "drover_expert_rows_total{")] as const),
    ),
  );
}

/** The busiest holder's rows since then, by the mean of those that hold any; 1 where all have as many. */
export function imbalance(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  const rows = [...after].map(([worker, count]) => count - (before.get(worker) ?? 0)).filter((count) => count > 0);
  return (Math.max(...rows) * rows.length) / rows.reduce((sum, one) => sum + one, 0);
}
