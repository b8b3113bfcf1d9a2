import { at, type QueueJob } from "@drover/core";
import { ANSWER_TOKENS_COUNTED, COST_TOKENS } from "./limits.ts";

/** Where a job stands in its lane: all of a lower class go first, then what has the lower tag. */
export type Rank = Readonly<{ priorityClass: number; tag: number }>;

/** Of jobs that are nobody's in particular, and of the house's own: first come, first served, before all tenants'. */
const HOUSE_RANK: Rank = { priorityClass: -1, tag: 0 };

const CLASSES = { high: 0, normal: 1, low: 2 } as const;
export const CLASS_COUNT = 3;

export const classOf = ({ priority }: NonNullable<QueueJob["tenant"]>): number => CLASSES[priority];

/** What a job takes of its tenant's part: its tokens over the tenant's weight. Of an answer, whose length nobody knows, a bounded number counts. */
export function costOf({ promptTokenCount, newTokenCountMax, choiceCount, tenant }: QueueJob): number {
  const answer = Math.min(newTokenCountMax, Math.max(1, choiceCount) * ANSWER_TOKENS_COUNTED);
  return Math.ceil((promptTokenCount + answer) / COST_TOKENS) / (tenant?.weight ?? 1);
}

export const isBefore = (one: Rank, other: Rank): boolean =>
  one.priorityClass !== other.priorityClass ? one.priorityClass < other.priorityClass : one.tag < other.tag;

/**
 * Weighted fair queueing of one lane: a job's tag is where its tenant's last one ended, or where the lane stands now if that is later. So a tenant that
 * adds ten times its part waits behind itself, and one that had nothing waiting is served next. Source: Start-time Fair Queueing, Goyal, Vin and
 * Cheng, 1996.
 */
export class FairOrder {
  /** By class: the tag of what was taken last. */
  readonly #now: number[] = Array.from({ length: CLASS_COUNT }, () => 0);
  /** By class and tenant: where its last job ends. Bounded by the jobs that wait. */
  readonly #ends = new Map<string, number>();

  rank(job: QueueJob): Rank {
    const { tenant } = job;
    if (tenant === undefined) return HOUSE_RANK;
    const priorityClass = classOf(tenant);
    const key = keyOf(tenant);
    const tag = Math.max(at(this.#now, priorityClass), this.#ends.get(key) ?? 0);
    this.#ends.set(key, tag + costOf(job));
    return { priorityClass, tag };
  }

  taken({ priorityClass, tag }: Rank): void {
    if (priorityClass >= 0) this.#now[priorityClass] = Math.max(at(this.#now, priorityClass), tag);
  }

  /** These jobs are all that waits: whoever has none begins where the lane stands. */
  keepOnly(jobs: Iterable<QueueJob>): void {
    const present = new Set<string>();
    for (const { tenant } of jobs) if (tenant !== undefined) present.add(keyOf(tenant));
    for (const key of [...this.#ends.keys()]) if (!present.has(key)) this.#ends.delete(key);
  }

  /** Nothing waits: everybody begins anew. */
  reset(): void {
    this.#ends.clear();
    this.#now.fill(0);
  }
}

const keyOf = (tenant: NonNullable<QueueJob["tenant"]>): string => `${classOf(tenant)} ${tenant.name}`;
