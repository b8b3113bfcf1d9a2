import { setTimeout } from "node:timers/promises";
import { POLL_MS } from "./limits.ts";

/**
 * Asks again and again until the answer is undefined: nothing is missing any more. Throws an Error with the last answer when the time is up.
 */
export async function untilNothing(
  missing: () => Promise<string | undefined>,
  { withinMs, signal }: Readonly<{ withinMs: number; signal: AbortSignal }>,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const answer = await missing();
    if (answer === undefined) return;
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs / 1000} s: ${answer}`);
    await setTimeout(POLL_MS, undefined, { signal });
  }
}
