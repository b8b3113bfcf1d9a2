import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Plan, planOf } from "./plan.ts";
import { PLANTED } from "./planted.ts";
import type { Seams } from "./seams.ts";
import { runSeeds, type SeedOutcome, serveSeeds } from "./seed-jobs.ts";
import { shrink } from "./shrink.ts";
import { type History, simulate } from "./simulate.ts";

const USAGE = `Lives through histories of a simulated cluster in which things go wrong, and says what must never be.

  --seeds N      so many, from --from on (default 1000)
  --from N       the first seed (default 1)
  --jobs N       in so many processes (default 1)
  --minutes N    begins no seed after so long
  --seed N       one, with its log
  --plan FILE    a kept plan, with its log
  --planted NAME with a fault in the product: any part of its name
  --keep         writes the least plan of each failure to tests/simulation/seeds`;

const LINES_SHOWN = 400;
/** Seeds. */
const SAID_EACH = 500;

/** Lives through what the arguments say. Returns how many histories failed. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      jobs: { type: "string", default: "1" },
      minutes: { type: "string" },
      serve: { type: "boolean", default: false },
      seed: { type: "string" },
      plan: { type: "string" },
      planted: { type: "string" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seams = plantedBy(values.planted);
  if (values.seed !== undefined) return show(planOf(Number(values.seed)), seams);
  if (values.plan !== undefined) return show(JSON.parse(await readFile(values.plan, "utf8")) as Plan, seams);
  if (values.serve) {
    serveSeeds((seed) => outcomeOf(seed, seams));
    return 0;
  }
  const first = Number(values.from);
  const last = first + Number(values.seeds) - 1;
  if (values.jobs === "1" && values.minutes === undefined) return many(first, last, seams, values.keep);
  const failed = await inJobs(first, last, values);
  for (const seed of values.keep ? failed : []) await report(planOf(seed), seams, true);
  return failed.length;
}

async function outcomeOf(seed: number, seams: Seams): Promise<SeedOutcome> {
  const { violations, hash, recoveryMs } = await simulate(planOf(seed), { linesKept: 0, seams });
  return { seed, violations, hash, recoveryMs };
}

/** Returns the seeds that failed; each is said as soon as it has. */
async function inJobs(
  first: number,
  last: number,
  { jobs, minutes, planted }: Readonly<{ jobs: string; minutes?: string; planted?: string }>,
): Promise<number[]> {
  const beganMs = performance.now();
  const failed: number[] = [];
  let livedCount = 0;
  let slowestMs = 0;
  const say = () => {
    const seconds = (performance.now() - beganMs) / 1000;
    const pace = `${Math.round(seconds)} s, ${(livedCount / seconds).toFixed(1)} a second`;
    const slowest = `the slowest recovery took ${Math.round(slowestMs)} ms`;
    console.log(`${livedCount} seeds from ${first} on, ${failed.length} failed; ${slowest}; ${pace}`);
  };
  const onOutcome = ({ seed, violations, hash, recoveryMs }: SeedOutcome) => {
    livedCount += 1;
    slowestMs = Math.max(slowestMs, recoveryMs);
    if (violations.length > 0) {
      failed.push(seed);
      console.log(`seed ${seed} fails, hash ${hash}: ${violations[0]}`);
    }
    if (livedCount % SAID_EACH === 0) say();
  };
  const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : beganMs + Number(minutes) * 60_000;
  await runSeeds({ first, last, jobs: Number(jobs), untilMs, planted, onOutcome });
  say();
  return failed;
}

async function many(first: number, last: number, seams: Seams, keep: boolean): Promise<number> {
  let failedCount = 0;
  let slowestMs = 0;
  for (let seed = first; seed <= last; seed++) {
    const history = await simulate(planOf(seed), { linesKept: 0, seams });
    slowestMs = Math.max(slowestMs, history.recoveryMs);
    if (history.violations.length > 0) {
      failedCount += 1;
      await report(planOf(seed), seams, keep);
    }
    if (seed % 100 === 0)
      console.log(`seed ${seed}: ${failedCount} failed; the slowest recovery took ${Math.round(slowestMs)} ms`);
  }
  console.log(
    `${last - first + 1} seeds, ${failedCount} failed; the slowest recovery took ${Math.round(slowestMs)} ms`,
  );
  return failedCount;
}

/** Says what is left of a failure when it is as small as it can be. */
async function report(plan: Plan, seams: Seams, keep: boolean): Promise<void> {
  const { plan: least, history } = await shrink(plan, { linesKept: 0, seams });
  console.log(`seed ${plan.seed} fails, hash ${history.hash}: ${history.violations[0] ?? "not again"}`);
  console.log(JSON.stringify({ faults: least.faults, clientCount: least.clients.length }));
  if (!keep) return;
  const folder = join(import.meta.dirname, "seeds");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${plan.seed}.json`), `${JSON.stringify(least, null, 2)}\n`);
}

async function show(plan: Plan, seams: Seams): Promise<number> {
  const history: History = await simulate(plan, { linesKept: LINES_SHOWN, seams });
  console.log(history.lines.join("\n"));
  console.log(JSON.stringify({ ...history, lines: undefined }, null, 2));
  return history.violations.length;
}

function plantedBy(name: string | undefined): Seams {
  if (name === undefined) return {};
  const found = Object.entries(PLANTED).find(([known]) => known.includes(name));
  if (found === undefined) throw new Error(`no planted fault is called ${name}: ${Object.keys(PLANTED).join(", ")}`);
  return found[1];
}

process.exitCode = (await main()) > 0 ? 1 : 0;
