import type { Plan } from "./plan.ts";
import { type History, type SimulateOptions, simulate } from "./simulate.ts";

/** Histories that shrinking may live through. */
const TRIES_MAX = 120;

/** The least of a failing plan that still fails: without the faults and the clients that it does not need, and with faults as short as may be. */
export async function shrink(
  plan: Plan,
  options: SimulateOptions = {},
): Promise<Readonly<{ plan: Plan; history: History }>> {
  let least = plan;
  let history = await simulate(plan, options);
  let triesLeft = TRIES_MAX;
  const fails = async (candidate: Plan): Promise<boolean> => {
    if (triesLeft-- <= 0) return false;
    const lived = await simulate(candidate, options);
    if (lived.violations.length === 0) return false;
    least = candidate;
    history = lived;
    return true;
  };
  for (let isSmaller = true; isSmaller && triesLeft > 0; ) {
    isSmaller = false;
    for (let i = least.faults.length - 1; i >= 0; i--)
      if (await fails({ ...least, faults: least.faults.toSpliced(i, 1) })) isSmaller = true;
    for (let i = least.clients.length - 1; i >= 0 && least.clients.length > 1; i--)
      if (await fails({ ...least, clients: least.clients.toSpliced(i, 1) })) isSmaller = true;
    for (const [i, fault] of least.faults.entries()) {
      if (!("forMs" in fault) || fault.forMs < 100) continue;
      const shorter = { ...fault, forMs: Math.floor(fault.forMs / 2) };
      if (await fails({ ...least, faults: least.faults.with(i, shorter) })) isSmaller = true;
    }
  }
  return { plan: least, history };
}
