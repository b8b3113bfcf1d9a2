import type { QueueJob } from "@drover/core";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { CLASS_COUNT, classOf, costOf } from "./fair-order.ts";
import { TAG_MAX } from "./limits.ts";

/** BullMQ takes jobs without a priority first, so every job has one: what is added again goes before all, then what is nobody's in particular. */
const FRONT_PRIORITY = 1;
const HOUSE_PRIORITY = 2;

/** KEYS: the lane's tags, BullMQ's waiting jobs. ARGV: for each job its class, tenant and cost. Where nothing waits, everybody begins anew. */
const RANK = `
if redis.call('ZCARD', KEYS[2]) == 0 then redis.call('DEL', KEYS[1]) end
local tags = {}
for i = 1, #ARGV, 3 do
  local now = tonumber(redis.call('HGET', KEYS[1], 'now:' .. ARGV[i]) or '0')
  local field = 'end:' .. ARGV[i] .. ':' .. ARGV[i + 1]
  local tag = math.max(now, tonumber(redis.call('HGET', KEYS[1], field) or '0'))
  redis.call('HSET', KEYS[1], field, string.format('%.4f', tag + tonumber(ARGV[i + 2])))
  tags[#tags + 1] = string.format('%.0f', math.floor(tag))
end
redis.call('PEXPIRE', KEYS[1], 86400000)
return tags`;

/** KEYS: the lane's tags. ARGV: the class and tag of a job that was taken. */
const TAKEN = `
local now = tonumber(redis.call('HGET', KEYS[1], 'now:' .. ARGV[1]) or '0')
if tonumber(ARGV[2]) > now then redis.call('HSET', KEYS[1], 'now:' .. ARGV[1], ARGV[2]) end
return 0`;

/** `FairOrder` of a lane in Redis, where all routers add: tags are BullMQ's priorities, as many for each class. */
export class RedisFairOrder {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #waitingKey: string;

  constructor(redis: Redis, key: string, waitingKey: string) {
    this.#redis = redis;
    this.#key = key;
    this.#waitingKey = waitingKey;
  }

  /** The priorities of jobs in their order. One call, and none where no job is a tenant's. */
  async priorities(jobs: readonly QueueJob[]): Promise<readonly number[]> {
    const ranked = jobs.filter(({ front, tenant }) => !front && tenant !== undefined);
    if (ranked.length === 0) return jobs.map(({ front }) => (front ? FRONT_PRIORITY : HOUSE_PRIORITY));
    const asked = ranked.flatMap((job) =>
      job.tenant === undefined ? [] : [classOf(job.tenant), job.tenant.name, costOf(job)],
    );
    const tags = (await this.#redis.eval(RANK, 2, this.#key, this.#waitingKey, ...asked)) as readonly string[];
    const tagOf = new Map(ranked.map((job, i) => [job, Number(tags[i])] as const));
    return jobs.map((job) => {
      if (job.front) return FRONT_PRIORITY;
      const tag = tagOf.get(job);
      if (tag === undefined || job.tenant === undefined) return HOUSE_PRIORITY;
      return HOUSE_PRIORITY + 1 + classOf(job.tenant) * (TAG_MAX + 1) + Math.min(TAG_MAX, tag);
    });
  }

  /** A job of this priority was taken. One that is not noted lets its tenant's next ones wait a little less. */
  taken(priority: number | undefined): void {
    const offset = (priority ?? 0) - HOUSE_PRIORITY - 1;
    const priorityClass = Math.floor(offset / (TAG_MAX + 1));
    if (offset < 0 || priorityClass >= CLASS_COUNT) return;
    const tag = offset - priorityClass * (TAG_MAX + 1);
    this.#redis.eval(TAKEN, 1, this.#key, priorityClass, tag).catch(() => undefined);
  }
}

/** Whether a job waits that was added to the front: BullMQ gives such a one before all others. */
export async function hasFront(queue: Pick<Queue, "getCountsPerPriority">): Promise<boolean> {
  const { [FRONT_PRIORITY]: count } = await queue.getCountsPerPriority([FRONT_PRIORITY]);
  return count !== undefined && count > 0;
}
