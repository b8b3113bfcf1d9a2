import { readdirSync, readFileSync } from "node:fs";
import { compareStreams, type Verdict } from "./near-tie.ts";
import type { Served } from "./served.ts";
import { gapsOf } from "./stream-level.ts";
import { rank, type StreamTokens, streamTokens } from "./stream-tokens.ts";

/** Ends a worker of this machine's clusters as a crash would. Throws where none has that name. */
export function killWorker(workerId: string): void {
  const pids = processesOf(`--worker-id=${workerId} `);
  if (pids.length === 0) throw new Error(`${workerId} is not there to be killed`);
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

/** Processes whose command line has a text. */
function processesOf(text: string): readonly number[] {
  const lines = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return lines.flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").includes(text) ? [Number(pid)] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** What streams lived through while a worker was killed: what tokens were others than in quiet times, those that ended early, and the longest pause of each, in milliseconds. */
export type KillOutcome = Readonly<{ differing: Verdict; errors: number; pauseMs: readonly number[] }>;

/** Asks for `expected` again, kills a worker so many milliseconds later, and reads all streams to their end. */
export async function killUnderStreams(
  served: Served,
  model: string,
  asked: Readonly<{ prompts: readonly (readonly number[])[]; expected: readonly StreamTokens[] }>,
  victim: Readonly<{ worker: string; afterMs: number }>,
): Promise<KillOutcome> {
  const { prompts, expected } = asked;
  const streams = prompts.map((prompt, i) =>
    streamTokens(served.url, model, prompt, expected[i]?.tokens.length ?? 0).catch(() => undefined),
  );
  await new Promise((resolve) => setTimeout(resolve, victim.afterMs));
  killWorker(victim.worker);
  const found = await Promise.all(streams);
  const whole = found.filter((one) => one !== undefined);
  const compared = found.flatMap((one, i) => {
    const [prompt, quiet] = [prompts[i], expected[i]];
    if (one === undefined || prompt === undefined || quiet === undefined) return [];
    return [{ name: `stream ${i}`, prompt, expected: quiet.tokens, found: one.tokens }];
  });
  return {
    differing: await compareStreams(served, compared, "f16", false),
    errors: found.length - whole.length,
    pauseMs: whole.map((one) => rank(gapsOf([one]), 1)),
  };
}

/** Streams whose tokens are others; those that are not there are none of them. */
export function differing(
  found: readonly (StreamTokens | undefined)[],
  expected: readonly (StreamTokens | undefined)[],
): number {
  return found.filter((one, i) => one !== undefined && one.tokens.join() !== expected[i]?.tokens.join()).length;
}
