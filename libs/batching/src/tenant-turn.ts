import { at } from "@drover/core";
import { type Candidate, rowsOf } from "./candidate.ts";
import { LITTLE_PART, PASSED_STEPS_MAX, TENANT_LEAD_MS, TENANT_MARGIN_MS } from "./limits.ts";
import type { StepCost } from "./step-cost.ts";
import type { TenantService } from "./tenant-service.ts";

/** Prompts that a step is for, and the sequences that decode in one after it. */
export type TenantTurn<T> = Readonly<{ prompts: readonly T[]; passed: ReadonlySet<T>; hasOthers: boolean }>;

/** What one tenant asks of the next steps. */
type Asking<T> = Readonly<{ name: string; weight: number; prompts: readonly T[]; count: number; behindMs: number }>;

/** What of a tenant could have its turn: `behindMs` is what it is behind after it, with what it may be ahead. */
type Due<T> = Readonly<{ of: Asking<T>; prompts: readonly T[]; behindMs: number }>;

/**
 * The turn of whoever has had least, where its prompts fit into what it is behind, or of who asks for little beside others and is not far ahead of them; all of its prompts, where others ask too: they
 * are computed at once, and sequences of tenants that would still have had more decode after that, unless they cost no more than the step of their own that they would need, or have waited for long
 * enough. Undefined where nobody is so far behind: then all share.
 */
export function tenantTurn<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  service: TenantService,
  { step, rowsMax }: Readonly<{ step: number; rowsMax: number }>,
): TenantTurn<T> | undefined {
  if (!service.isSharedBy(candidates)) return undefined;
  const due = mostBehind(askingOf(candidates, service), cost, rowsMax);
  if (due === undefined) return undefined;
  const decoding = candidates.filter(({ isDecoding }) => isDecoding);
  const ahead = decoding.filter(
    ({ tenant }) => nameOf(tenant) !== due.of.name && service.behindMs(tenant) < due.behindMs,
  );
  const aheadMs = ahead.reduce((sum, one) => sum + cost.entryMs(rowsOf(one, one.pendingTokenCount)), 0);
  const mayWait = aheadMs > cost.emptyMs && ahead.every(({ lastStep }) => step - lastStep <= PASSED_STEPS_MAX);
  return { prompts: due.prompts, passed: new Set(mayWait ? ahead : []), hasOthers: ahead.length < decoding.length };
}

function askingOf<T extends Candidate>(candidates: readonly T[], service: TenantService): readonly Asking<T>[] {
  return [...Map.groupBy(candidates, ({ tenant }) => nameOf(tenant))].map(([name, mine]) => {
    const { tenant } = at(mine, 0);
    const prompts = mine.filter(({ isDecoding }) => !isDecoding);
    return { name, weight: tenant?.weight ?? 1, prompts, count: mine.length, behindMs: service.behindMs(tenant) };
  });
}

function mostBehind<T extends Candidate>(
  asking: readonly Asking<T>[],
  cost: StepCost,
  rowsMax: number,
): Due<T> | undefined {
  const havePrompts = asking.filter(({ prompts }) => prompts.length > 0);
  let most: Due<T> | undefined;
  for (const of of havePrompts) {
    const creditMs = creditOf(of, asking) * of.weight;
    const { fitting, needMs } = within(of.prompts, cost, creditMs, rowsMax);
    // Who asks for more than it is behind, as one that floods after a silence, shares with the others that ask.
    if (havePrompts.length > 1 && fitting.length < of.prompts.length) continue;
    const behindMs = of.behindMs + leadOf(of, asking) - needMs / of.weight;
    if (fitting.length > 0 && (most === undefined || behindMs > most.behindMs))
      most = { of, prompts: fitting, behindMs };
  }
  return most;
}

/** Milliseconds over weight of the tenant's prompts that may go before what others ask. */
function creditOf<T>(of: Asking<T>, asking: readonly Asking<T>[]): number {
  const leastBehindMs = Math.min(...asking.map(({ behindMs }) => behindMs));
  const mostBehindMs = Math.max(...asking.map(({ behindMs }) => behindMs));
  const leadMs = leadOf(of, asking);
  return Math.max(
    of.behindMs - leastBehindMs - TENANT_MARGIN_MS,
    leadMs === 0 ? 0 : leadMs - (mostBehindMs - of.behindMs),
  );
}

/** How far the tenant may be ahead of others: not at all, unless it asks for little beside them. */
function leadOf<T>({ count, weight }: Asking<T>, asking: readonly Asking<T>[]): number {
  const sum = (pick: (one: Asking<T>) => number) => asking.reduce((total, one) => total + pick(one), 0);
  const evenly = sum((one) => one.count) / sum((one) => one.weight);
  return count / weight <= LITTLE_PART * evenly ? TENANT_LEAD_MS : 0;
}

const nameOf = (tenant: Candidate["tenant"]): string => tenant?.name ?? "";

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
