import { at } from "@drover/core";
import { type Candidate, rowsOf } from "./candidate.ts";
import { PASSED_STEPS_MAX, TENANT_MARGIN_MS } from "./limits.ts";
import type { StepCost } from "./step-cost.ts";
import type { TenantService } from "./tenant-service.ts";

/** Prompts that a step is for, and the sequences that decode in one after it. */
export type TenantTurn<T> = Readonly<{ prompts: readonly T[]; passed: ReadonlySet<T>; hasOthers: boolean }>;

/** What of a tenant could have its turn. */
type Due<T> = Readonly<{ prompts: readonly T[]; behindMs: number }>;

/**
 * The turn of whoever has had least, where its prompts fit into what it is behind, all of them where others ask too: they are computed at once, and sequences of tenants that would still
 * have had more decode after that, unless they cost no more than the step of their own that they would need, or have waited for long enough. Undefined
 * where nobody is so far behind: then all share.
 */
export function tenantTurn<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  service: TenantService,
  { step, rowsMax }: Readonly<{ step: number; rowsMax: number }>,
): TenantTurn<T> | undefined {
  if (!service.isSharedBy(candidates)) return undefined;
  const due = mostBehind(candidates, cost, service, rowsMax);
  if (due === undefined) return undefined;
  const decoding = candidates.filter(({ isDecoding }) => isDecoding);
  const ahead = decoding.filter(({ tenant }) => service.behindMs(tenant) < due.behindMs);
  const aheadMs = ahead.reduce((sum, one) => sum + cost.entryMs(rowsOf(one, one.pendingTokenCount)), 0);
  const mayWait = aheadMs > cost.emptyMs && ahead.every(({ lastStep }) => step - lastStep <= PASSED_STEPS_MAX);
  return { prompts: due.prompts, passed: new Set(mayWait ? ahead : []), hasOthers: ahead.length < decoding.length };
}

function mostBehind<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  service: TenantService,
  rowsMax: number,
): Due<T> | undefined {
  const prompts = candidates.filter(({ isDecoding }) => !isDecoding);
  const leastMs = Math.min(...candidates.map(({ tenant }) => service.behindMs(tenant)));
  const asking = [...Map.groupBy(prompts, ({ tenant }) => tenant?.name).values()];
  let most: Due<T> | undefined;
  for (const mine of asking) {
    const { tenant } = at(mine, 0);
    const weight = tenant?.weight ?? 1;
    const creditMs = (service.behindMs(tenant) - leastMs - TENANT_MARGIN_MS) * weight;
    const { fitting, needMs } = within(mine, cost, creditMs, rowsMax);
    // Who asks for more than it is behind, as one that floods after a silence, shares with the others that ask.
    if (asking.length > 1 && fitting.length < mine.length) continue;
    const behindMs = service.behindMs(tenant) - needMs / weight;
    if (fitting.length > 0 && (most === undefined || behindMs > most.behindMs)) most = { prompts: fitting, behindMs };
  }
  return most;
}

/** The shortest of these prompts that take no more than `creditMs` together. */
function within<T extends Candidate>(
  prompts: readonly T[],
  cost: StepCost,
  creditMs: number,
  rowsMax: number,
): Readonly<{ fitting: readonly T[]; needMs: number }> {
  const fitting: T[] = [];
  let needMs = 0;
  for (const prompt of [...prompts].sort((a, b) => a.pendingTokenCount - b.pendingTokenCount || a.id - b.id)) {
    const { computedCount, pendingTokenCount } = prompt;
    const ms = cost.prefillMs(computedCount, computedCount + pendingTokenCount, Math.max(1, rowsMax));
    if (needMs + ms > creditMs) break;
    needMs += ms;
    fitting.push(prompt);
  }
  return { fitting, needMs };
}
