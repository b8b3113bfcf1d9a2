import { randomUUID } from "node:crypto";
import {
  type Clock,
  DroverError,
  type LeaderGrant,
  type LeaderLease,
  neverAborted,
  sleepUnlessAborted,
  withTimeout,
} from "@drover/core";
import type { Redis } from "ioredis";
import { LEASE_ASK_MS, LEASE_MS, LEASE_RENEW_MS } from "./limits.ts";
import { overRedis } from "./redis.ts";

/**
 * Takes the lease if nobody has it, and gives its epoch, which rises with each holder; else the holder's, below zero. An epoch's floor is Redis's clock in
 * units of 100 ms, so that it rises also when Redis has lost its data, and what the candidate has seen, where that clock was set back too.
 * KEYS lease, epoch; ARGV holder, milliseconds, the newest epoch that the candidate knows.
 */
const ACQUIRE = `
if not redis.call("set", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return -tonumber(redis.call("get", KEYS[2]) or "0") end
local epoch = redis.call("incr", KEYS[2])
local floor = math.max(tonumber(redis.call("time")[1]) * 10, tonumber(ARGV[3]) + 1)
if epoch >= floor then return epoch end
redis.call("set", KEYS[2], string.format("%d", floor))
return floor`;
/** Only its holder renews or gives up a lease. */
const RENEW = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) end return 0`;
const RELEASE = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`;

/** Leadership by an expiring key in Redis. A holder that cannot renew stops leading before the key expires. */
export class RedisLease implements LeaderLease {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #address: string;
  #refusal: string | undefined;
  /** The newest epoch that was heard of. */
  #known = 0n;

  constructor(redis: Redis, options: Readonly<{ cluster: string; modelId: string; address: string; clock: Clock }>) {
    this.#redis = redis;
    this.#clock = options.clock;
    this.#key = `drover:${options.cluster}:${options.modelId}:leader`;
    this.#address = options.address;
  }

  get trouble(): string | undefined {
    if (this.#redis.status !== "ready") return "Redis cannot be reached";
    return this.#refusal === undefined ? undefined : `Redis refuses the lease: ${this.#refusal}`;
  }

  async acquire(signal: AbortSignal): Promise<LeaderGrant> {
    // Each hold is told apart, also from an earlier one of this process.
    const holder = `${this.#address} ${randomUUID()}`;
    for (;;) {
      signal.throwIfAborted();
      const asked = this.#clock.monotonic();
      // Redis may be away: a candidate waits as it does behind another leader.
      const epoch = await this.#ask(holder);
      if (epoch !== undefined) return this.#hold(holder, epoch, asked);
      await this.#clock.sleep(LEASE_ASK_MS, signal);
    }
  }

  /** The epoch of a lease that is granted; undefined where somebody has it, or Redis does not say. */
  async #ask(holder: string): Promise<bigint | undefined> {
    const args = [holder, LEASE_MS, String(this.#known)];
    try {
      const answer = BigInt(String(await this.#redis.eval(ACQUIRE, 2, this.#key, `${this.#key}:epoch`, ...args)));
      this.#refusal = undefined;
      const epoch = answer < 0n ? -answer : answer;
      if (epoch > this.#known) this.#known = epoch;
      return answer > 0n ? epoch : undefined;
    } catch (error) {
      this.#refusal = error instanceof Error ? error.message : String(error);
      return undefined;
    }
  }

  #hold(holder: string, epoch: bigint, since: number): LeaderGrant {
    const lost = new AbortController();
    const ended = new AbortController();
    const lose = () => {
      const reason = new DroverError("not_leader", "the leader's lease was lost");
      ended.abort(reason);
      lost.abort(reason);
    };
    void this.#renew(holder, since, lose, ended.signal);
    return {
      epoch,
      lost: lost.signal,
      release: async () => {
        ended.abort(new DroverError("cancelled", "the lease was given back"));
        // Later than that it has run out by itself.
        const limit = { ms: LEASE_MS, message: `Redis did not take the leader's lease back within ${LEASE_MS} ms` };
        await withTimeout(limit, this.#clock, neverAborted, (signal) =>
          overRedis(signal, () => this.#redis.eval(RELEASE, 1, this.#key, holder)),
        );
      },
    };
  }

  /** Renews the lease until it has ended. The key lives LEASE_MS from its last renewal; leading ends before that, whatever Redis does. */
  async #renew(holder: string, since: number, lose: () => void, ended: AbortSignal): Promise<void> {
    let renewedAt = since;
    const leftMs = () => renewedAt + LEASE_MS - LEASE_RENEW_MS - this.#clock.monotonic();
    for (;;) {
      await sleepUnlessAborted(this.#clock, Math.max(0, Math.min(LEASE_RENEW_MS, leftMs())), ended);
      if (ended.aborted) return;
      const asked = this.#clock.monotonic();
      if (leftMs() <= 0) {
        lose();
        return;
      }
      // Not waited for: a Redis that is away does not answer, and the lease runs out all the same.
      this.#redis.eval(RENEW, 1, this.#key, holder, LEASE_MS).then(
        (held) => {
          if (Number(held) === 0) lose();
          else renewedAt = asked;
        },
        () => undefined,
      );
    }
  }

  async leaderAddress(signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    const holder = await overRedis(signal, () => this.#redis.get(this.#key));
    return holder?.split(" ", 1)[0];
  }
}
