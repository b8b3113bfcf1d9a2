import type { GateResult } from "./gate.ts";
import { GATES } from "./index.ts";

/** Runs every gate and prints a line for each, with what it found when it failed. */
export async function runGates(root: string): Promise<{ passedCount: number; failedCount: number }> {
  let failedCount = 0;
  for (const gate of GATES) {
    const begin = performance.now();
    const result = await gate.check(root).catch(failure);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    process.stdout.write(`${result.ok ? "passed" : "FAILED"}  ${gate.name} (${seconds} s)\n`);
    if (result.ok) continue;
    failedCount++;
    process.stdout.write(`${result.output.trimEnd().replaceAll(/^/gm, "        ")}\n`);
  }
  return { passedCount: GATES.length - failedCount, failedCount };
}

const failure = (error: unknown): GateResult => ({
  ok: false,
  output: error instanceof Error ? (error.stack ?? error.message) : String(error),
});
