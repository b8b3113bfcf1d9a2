import type { RequestId, WorkerId } from "@drover/core";
import { BLOCK_HASH_BYTES, keyAt, sharedHashCount } from "@drover/kv";
import { COMING_BLOCKS_MIN, COMING_GRACE_MS, COMING_PROMPTS_MAX } from "../limits.ts";
import { type FirstTokenTime, totalMs } from "../requests/first-token-time.ts";
import { sampledEnd } from "./block-sample.ts";
import type { PrefixShape } from "./prefix-lookup.ts";

/** A prompt as placement sees it: `hashes` is the sample of its chain. */
export type HashedPrompt = Readonly<{ hashes: Uint8Array; promptTokenCount: number }>;

/** What a worker will have cached of a prompt, and in how many milliseconds. */
export type ComingPrefix = Readonly<{ tokenCount: number; inMs: number }>;

type Coming = Readonly<{
  worker: WorkerId;
  request: RequestId;
  prompt: HashedPrompt;
  cachedTokenCount: number;
  /** When its own rows begin to be computed and when all of them are, predicted. */
  fromMs: number;
  untilMs: number;
}>;

/**
 * Prompts that were placed and are not computed yet. Caches do not name them, though who comes behind one with the same beginning finds it soon: the
 * workers let him wait for it. Predictions, so that a wrong one costs latency; what was to be computed for a while is forgotten, for by then
 * the cache names it.
 */
export class ComingPrefixes {
  readonly #shape: PrefixShape;
  /** By the first block's hash, oldest first. */
  readonly #byFirst = new Map<string, Coming[]>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(shape: PrefixShape) {
    this.#shape = shape;
  }

  /**
   * A prompt was placed. Remembered only where it brings some blocks that the worker has not, and no more of one beginning than
   * COMING_PROMPTS_MAX: the first ones, whom others wait for.
   */
  placed(
    worker: WorkerId,
    request: RequestId,
    prompt: HashedPrompt,
    chosen: Readonly<{ cachedTokenCount: number; time: FirstTokenTime }>,
    nowMs: number,
  ): void {
    const { cachedTokenCount, time } = chosen;
    if (prompt.promptTokenCount - cachedTokenCount < COMING_BLOCKS_MIN * this.#shape.blockTokens) return;
    if (prompt.hashes.length < BLOCK_HASH_BYTES) return;
    this.#sweep(nowMs);
    const list = this.#current(firstOf(prompt), nowMs);
    if (list.length >= COMING_PROMPTS_MAX) return;
    const fromMs = nowMs + time.queueMs;
    list.push({ worker, request, prompt, cachedTokenCount, fromMs, untilMs: nowMs + totalMs(time) });
    this.#byFirst.set(firstOf(prompt), list);
  }

  /** The worker did not take it. */
  release(worker: WorkerId, request: RequestId): void {
    this.#keep((one) => one.worker !== worker || one.request !== request);
  }

  /** The worker is lost. */
  forget(worker: WorkerId): void {
    this.#keep((one) => one.worker !== worker);
  }

  /** Prompts that are remembered, of all beginnings. */
  get count(): number {
    return [...this.#byFirst.values()].reduce((sum, list) => sum + list.length, 0);
  }

  /** What each worker will have of a prompt: the longest beginning, and of equal ones the soonest. */
  of(prompt: HashedPrompt, nowMs: number): ReadonlyMap<WorkerId, ComingPrefix> {
    const found = new Map<WorkerId, ComingPrefix>();
    if (prompt.hashes.length < BLOCK_HASH_BYTES) return found;
    for (const one of this.#current(firstOf(prompt), nowMs)) {
      const tokenCount = this.#sharedTokens(prompt, one.prompt);
      const best = found.get(one.worker);
      const inMs = Math.max(0, readyAtMs(one, tokenCount) - nowMs);
      const isBetter =
        best === undefined || tokenCount > best.tokenCount || (tokenCount === best.tokenCount && inMs < best.inMs);
      if (tokenCount > 0 && isBetter) found.set(one.worker, { tokenCount, inMs });
    }
    return found;
  }

  /** A hit that ends within a chunk needs the chunk's local rows: a prompt that goes on beyond the chunk has dropped them. */
  #sharedTokens(prompt: HashedPrompt, coming: HashedPrompt): number {
    const { blockTokens, chunkTokens } = this.#shape;
    const shared = sampledEnd(sharedHashCount(prompt.hashes, coming.hashes)) * blockTokens;
    const tokens = Math.min(shared, Math.floor((prompt.promptTokenCount - 1) / blockTokens) * blockTokens);
    const end = sampledEnd(coming.hashes.length / BLOCK_HASH_BYTES) * blockTokens;
    const goesOn = Math.floor(end / chunkTokens) > Math.floor(tokens / chunkTokens);
    return goesOn ? Math.floor(tokens / chunkTokens) * chunkTokens : tokens;
  }

  /** The remembered prompts of one beginning, but for those that were computed long ago. */
  #current(first: string, nowMs: number): Coming[] {
    return (this.#byFirst.get(first) ?? []).filter((one) => isCurrent(one, nowMs));
  }

  /** What nobody asks for any more goes too. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < COMING_GRACE_MS) return;
    this.#sweptAtMs = nowMs;
    this.#keep((one) => isCurrent(one, nowMs));
  }

  #keep(isKept: (one: Coming) => boolean): void {
    for (const [first, list] of this.#byFirst) {
      const kept = list.filter(isKept);
      if (kept.length === 0) this.#byFirst.delete(first);
      else if (kept.length < list.length) this.#byFirst.set(first, kept);
    }
  }
}

const isCurrent = ({ untilMs }: Coming, nowMs: number): boolean => nowMs <= untilMs + COMING_GRACE_MS;

/** When the first `tokenCount` tokens are computed: what is not cached takes equal time for each. */
function readyAtMs({ prompt, cachedTokenCount, fromMs, untilMs }: Coming, tokenCount: number): number {
  const share = (tokenCount - cachedTokenCount) / Math.max(1, prompt.promptTokenCount - cachedTokenCount);
  return tokenCount <= cachedTokenCount ? fromMs : fromMs + share * (untilMs - fromMs);
}

/** What prompts with the same first block have in common. */
const firstOf = ({ hashes }: HashedPrompt): string => keyAt(hashes, 0);
