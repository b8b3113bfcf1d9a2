import { startLoneRouter } from "./lone-router.ts";
import { FILL_CONTEXT_TOKENS, FILL_FLAGS, FILLED_PART, MemoryFill } from "./memory-fill.ts";
import { toldMemory } from "./told-memory.ts";

const MIB = 2 ** 20;
/** As the commands that start routers set it: what large blocks took is given back. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "1048576" };
const STEP_MS = "4";
/** Pictures' tiles are not filled: no worker takes them here, and each is refused once it is cut. */
const UNFILLED = ["images"];

/** Fills a router's budgets and says what came of it. Whether what was resident is within the sum that it tells, and at least half of it. */
export async function fillWithinSum(checkout: string, model: string): Promise<boolean> {
  const told = toldMemory(checkout, FILL_FLAGS);
  const options = { stepMs: STEP_MS, model, env: ALLOCATOR, contextTokens: FILL_CONTEXT_TOKENS, more: FILL_FLAGS };
  const router = await startLoneRouter(checkout, options);
  try {
    const { most, after, kinds, statuses } = await new MemoryFill(router).run();
    console.log(`told ${inMib(told)} MiB, resident at most ${inMib(most)}, a minute after ${inMib(after)}`);
    for (const [kind, one] of kinds)
      console.log(`${kind.padEnd(8)} ${inMib(one.most)} of ${inMib(one.budget)} MiB, at the end ${one.after} bytes`);
    console.log(
      `refused as they should be (0: no answer): ${[...statuses].map(([status, count]) => `${count} x ${status}`).join(", ")}`,
    );
    const areFilled = [...kinds].every(
      ([kind, one]) => UNFILLED.includes(kind) || one.most >= FILLED_PART * one.budget,
    );
    const areGiven = [...kinds.values()].every((one) => one.after === 0);
    const areAnswered = !statuses.has(0);
    return most <= told && most >= told / 2 && areFilled && areGiven && areAnswered;
  } finally {
    await router.end();
  }
}

const inMib = (bytes: number): string => (bytes / MIB).toFixed(0);
