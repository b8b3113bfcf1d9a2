import { execFile } from "node:child_process";
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

/** Brings up a cluster with the settings and runs the reference's own check against its public interface. Returns its last line. */
export async function runGoldens(settings: Settings, redisUrl: string | undefined): Promise<string> {
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
  return await checkFile(`${settings.checkpoint}/goldens.jsonl`, cluster.url, settings.concurrency);
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
