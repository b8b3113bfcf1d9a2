import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";

/** What came of a seed in a process of its own. */
export type SeedOutcome = Readonly<{ seed: number; violations: readonly string[]; hash: string; recoveryMs: number }>;

export type SeedJobsOptions = Readonly<{
  first: number;
  last: number;
  /** Processes that live through seeds at once. */
  jobs: number;
  /** No seed is begun later than this, on the monotonic scale. */
  untilMs: number;
  /** The fault that is planted in all of them, by any part of its name. */
  planted: string | undefined;
  onOutcome: (outcome: SeedOutcome) => void;
}>;

/** A history that takes longer is one that does not end. */
const SEED_MS_MAX = 300_000;

/** Lives through seeds in several processes, each seed given to whoever is free. A process that ends or hangs is a failure of its seed, and replaced. */
export async function runSeeds(options: SeedJobsOptions): Promise<void> {
  const { first, last, jobs, untilMs } = options;
  let next = first;
  const take = () => (next <= last && performance.now() < untilMs ? next++ : undefined);
  await Promise.all(Array.from({ length: jobs }, () => runJob(take, options)));
}

async function runJob(take: () => number | undefined, { planted, onOutcome }: SeedJobsOptions): Promise<void> {
  let child: ChildProcess | undefined;
  for (let seed = take(); seed !== undefined; seed = take()) {
    child ??= start(planted);
    const outcome = await live(child, seed);
    if (outcome === undefined) child = undefined;
    onOutcome(outcome ?? { seed, violations: ["its process ended, or hung"], hash: "", recoveryMs: 0 });
  }
  child?.kill();
}

function start(planted: string | undefined): ChildProcess {
  const args = ["--serve", ...(planted === undefined ? [] : ["--planted", planted])];
  return fork(join(import.meta.dirname, "main.ts"), args);
}

/** Undefined where the process ended, or was ended because it hung. */
function live(child: ChildProcess, seed: number): Promise<SeedOutcome | undefined> {
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill("SIGKILL"), SEED_MS_MAX);
    const end = (outcome: SeedOutcome | undefined) => {
      clearTimeout(late);
      child.off("message", tell).off("exit", gone);
      resolve(outcome);
    };
    const tell = (outcome: SeedOutcome) => end(outcome);
    const gone = () => end(undefined);
    child.on("message", tell).on("exit", gone);
    child.send({ seed });
  });
}

/** Lives through the seeds that the process's parent names, one at a time. */
export function serveSeeds(live: (seed: number) => Promise<SeedOutcome>): void {
  process.on("message", ({ seed }: { seed: number }) => {
    void live(seed).then((outcome) => process.send?.(outcome));
  });
}
