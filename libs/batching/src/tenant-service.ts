import { at } from "@drover/core";
import type { Candidate, PlannedRows } from "./candidate.ts";
import { TENANT_CREDIT_MS, TENANT_REMEMBERED_MS, TENANTS_REMEMBERED_MAX } from "./limits.ts";
import type { StepCost } from "./step-cost.ts";

type Tenant = Candidate["tenant"];

/** Those whom nobody tells apart are one tenant of weight 1. */
const NOBODY = { name: "", weight: 1 };

/** Milliseconds of steps over the tenant's weight, and the time of all steps together when it last had a row in one. */
type Served = { ms: number; seenAtMs: number };

/**
 * What steps have given each tenant while others asked too, so that one that got less than its part goes first. What nobody else wanted is not counted: who had the
 * worker for itself owes nothing to a flood that comes later. Who has had least is behind whoever had most by a bounded
 * credit: neither does a long silence buy a tenant the worker for itself, nor does one that always asks for little pay for what others ask. Source: the
 * virtual token counter, Sheng et al., "Fairness in Serving Large Language Models", 2024, with milliseconds for tokens.
 */
export class TenantService {
  readonly #served = new Map<string, Served>();
  #isContended = false;
  #mostMs = 0;
  #nowMs = 0;

  /** These are to be served by the next steps: what they get counts where they are of more than one tenant. */
  asks(candidates: readonly Candidate[]): void {
    const first = candidates[0]?.tenant ?? NOBODY;
    this.#isContended = candidates.some(({ tenant }) => (tenant ?? NOBODY).name !== first.name);
  }

  /**
   * Whether steps of late were, or the next one is to be, of more than one tenant: then none takes longer than the next one to come should wait. One that
   * was never seen counts from its first step on.
   */
  isSharedBy(candidates: readonly Candidate[]): boolean {
    const [known] = this.#served.keys();
    if (this.#served.size > 1) return true;
    const one = known ?? (candidates[0]?.tenant ?? NOBODY).name;
    return candidates.some(({ tenant }) => (tenant ?? NOBODY).name !== one);
  }

  /** How far the tenant is behind the one that had most, milliseconds over weight, no further than its credit. */
  behindMs(tenant: Tenant): number {
    return this.#mostMs - this.#servedMs((tenant ?? NOBODY).name);
  }

  /** A step of these rows took `ms`: each tenant is charged what its rows are predicted to be of it. */
  observe(rows: readonly PlannedRows<Candidate>[], cost: StepCost, ms: number): void {
    this.#nowMs += ms;
    const [first] = rows;
    if (first === undefined) return;
    // All of it is one tenant's, whatever its rows are of it.
    if (rows.every(({ of }) => of.tenant === first.of.tenant)) {
      this.#charge(first.of.tenant ?? NOBODY, ms);
      this.#forget();
      return;
    }
    const entryMs = rows.map((entry) => cost.entryMs(entry));
    const sum = entryMs.reduce((total, one) => total + one, 0);
    if (!(sum > 0)) return;
    for (const [i, { of }] of rows.entries()) this.#charge(of.tenant ?? NOBODY, (ms * at(entryMs, i)) / sum);
    this.#forget();
  }

  /** What it had, no less than its credit below the most; so is who was never seen. */
  #servedMs(name: string): number {
    const floor = this.#mostMs - TENANT_CREDIT_MS;
    return Math.max(floor, this.#served.get(name)?.ms ?? floor);
  }

  #charge({ name, weight }: NonNullable<Tenant>, ms: number): void {
    const after = this.#servedMs(name) + (this.#isContended ? ms / weight : 0);
    // Behind all others, so that the first is who was served longest ago.
    this.#served.delete(name);
    this.#served.set(name, { ms: after, seenAtMs: this.#nowMs });
    this.#mostMs = Math.max(this.#mostMs, after);
  }

  #forget(): void {
    for (const [name, { seenAtMs }] of this.#served) {
      const isOld = this.#nowMs - seenAtMs > TENANT_REMEMBERED_MS;
      if (!isOld && this.#served.size <= TENANTS_REMEMBERED_MAX) break;
      this.#served.delete(name);
    }
  }
}
