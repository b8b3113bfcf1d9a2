import { type Clock, sleepUnlessAborted } from "@drover/core";
import { IN_FLIGHT_MAX } from "../limits.ts";
import type { LoadLevel } from "./load-level.ts";
import type { LoadPlan } from "./load-plan.ts";
import type { Sample } from "./load-target.ts";

export type SentLoad = Readonly<{
  level: LoadLevel;
  plan: LoadPlan;
  /** Sends the plan's request of that index. It never rejects. */
  send: (index: number) => Promise<Sample>;
  clock: Clock;
}>;

/**
 * Sends a plan's requests as its level says and waits for all of them; once `signal` aborts it begins no more. Where more than `IN_FLIGHT_MAX` are
 * unanswered the next ones of a rate wait.
 */
export async function sendLoad({ level, plan, send, clock }: SentLoad, signal: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = [];
  let next = 0;
  const runners = level.kind === "concurrency" ? level.inFlight : IN_FLIGHT_MAX;
  const begin = clock.monotonic();
  const runner = async (): Promise<void> => {
    while (next < plan.beginMs.length && !signal.aborted) {
      const index = next++;
      const waitMs = (plan.beginMs[index] ?? 0) - (clock.monotonic() - begin);
      if (waitMs > 0) await sleepUnlessAborted(clock, waitMs, signal);
      if (!signal.aborted) samples.push(await send(index));
    }
  };
  await Promise.all(Array.from({ length: Math.min(runners, plan.beginMs.length) }, runner));
  return samples;
}
