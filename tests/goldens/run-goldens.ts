import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT, TestCluster } from "../e2e/test-cluster.ts";
import type { Settings } from "./settings.ts";

export const SHARED = join(ROOT, "../shared");

const CHECKPOINTS = {
  nano: join(SHARED, "nano"),
  "nano-fp8": join(SHARED, "nano-fp8"),
  "nano-ct-fp8": join(SHARED, "nano-ct-fp8"),
  scout: join(SHARED, "goldens/scout/checkpoint"),
} as const;

/** Tokens of a whole segment: whatever is longer has a part elsewhere where there are context workers. */
const STRIPE_ABOVE = 1024;

/**
 * Brings up a cluster with the settings and runs the reference's own check against its public interface, and then whatever `afterwards` asks of it.
 * Returns the check's last line. Throws an Error
 * where a prompt is so long that context workers have a part of it, and none of them has attended to anything.
 */
export async function runGoldens(
  settings: Settings,
  redisUrl: string | undefined,
  afterwards: (cluster: TestCluster, settings: Settings) => Promise<void> = async () => undefined,
): Promise<string> {
  await using cluster = await TestCluster.start({
    model: CHECKPOINTS[settings.checkpoint],
    expertWorkers: settings.expertWorkers,
    attentionWorkers: settings.attentionWorkers,
    prefillChunk: settings.prefillChunk,
    flags: [
      ...["--prefix-cache", settings.prefixCache],
      ...["--context-workers", String(settings.contextWorkers), "--stripe-above", String(STRIPE_ABOVE)],
    ],
    queue: settings.queue === "redis" ? (redisUrl ?? "auto") : "embedded",
  });
  const said = await checkFile(`${settings.checkpoint}/goldens.jsonl`, cluster.url, settings.concurrency);
  const isStriped = settings.contextWorkers > 0 && longestGolden(settings.checkpoint) > STRIPE_ABOVE;
  if (isStriped && (await attendedRows(cluster, settings)) === 0)
    throw new Error("context workers have attended to nothing");
  await afterwards(cluster, settings);
  return said;
}

/** Tokens of the longest prompt. */
function longestGolden(checkpoint: Settings["checkpoint"]): number {
  const lines = readFileSync(join(SHARED, "goldens", checkpoint, "goldens.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  return Math.max(...lines.map((line) => (JSON.parse(line) as { input_ids: unknown[] }).input_ids.length));
}

/** Rows of queries that context workers have attended with. */
async function attendedRows(cluster: TestCluster, { contextWorkers }: Settings): Promise<number> {
  const names = Array.from({ length: contextWorkers }, (_, i) => `context-${i}`);
  const served = names.map(async (name) => {
    const text = await (await fetch(`${await cluster.adminUrl(name)}/metrics`)).text();
    return Number(/^drover_context_attend_rows_total\{.*\} (\d+)/m.exec(text)?.[1] ?? 0);
  });
  return (await Promise.all(served)).reduce((sum, count) => sum + count, 0);
}

/** Runs the reference's check on a file of goldens or tasks. Throws with every failing case's line when they do not hold. */
export async function checkFile(
  file: string,
  url: string,
  concurrency: number,
  without: readonly ("logprobs" | "experts")[] = [],
): Promise<string> {
  const script = join(SHARED, "goldens/check.py");
  const { stdout } = await promisify(execFile)("python3", [
    script,
    join(SHARED, "goldens", file),
    url,
    "--concurrency",
    String(concurrency),
    ...(without.length > 0 ? ["--without", ...without] : []),
  ]).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${file} does not hold:\n${error.stdout}${error.stderr}`);
  });
  return stdout.trimEnd().split("\n").at(-1) ?? "";
}
