import {
  chooseVictim,
  claimsWithoutRoom,
  type Holder,
  type KvClaim,
  needsRoom,
  type OutputLengths,
  type PlannedRows,
  type StepCost,
} from "@drover/batching";
import { ATTEMPT_STRIDE, type Clock, type KvSequence, type SequencePrompt, type SequenceStore } from "@drover/core";
import { BLOCK_TOKENS, type KvGeometry, kvBytesPeak, ownRowsMax } from "@drover/kv";
import type { ActiveRequest } from "./active-request.ts";
import { longestAlone } from "./admission.ts";
import type { Choice } from "./choice.ts";
import type { EngineObserver } from "./engine-options.ts";
import { PARK_MS } from "./limits.ts";
import { prefixFollowers } from "./prefix-followers.ts";
import { PromptPreparation } from "./prompt-preparation.ts";
import { repairFollowers } from "./repair-followers.ts";
import { tellOpened } from "./tell-opened.ts";

export type KvRoomOptions = Readonly<{
  sequences: SequenceStore;
  geometry: KvGeometry;
  prefillRowsMax: number;
  cost: StepCost;
  outputs: OutputLengths;
  clock: Clock;
  observer: Pick<EngineObserver, "preempted" | "prefixFound" | "resumed">;
}>;

/** Gives choices KV, as `claimsWithoutRoom` and `chooseVictim` decide, and takes it back. */
export class KvRoom {
  readonly #options: KvRoomOptions;

  constructor(options: KvRoomOptions) {
    this.#options = options;
  }

  /** Choices that the next step may serve. Those that could go on and have no room are stalled. */
  runnable(choices: readonly Choice[]): Choice[] {
    const { sequences, clock } = this.#options;
    for (const choice of choices) choice.mend(choice.sequence && sequences.repair(choice.sequence));
    const ready = this.#ready(choices);
    if (
      !ready.some(({ sequence, stalledSinceMs }) =>
        needsRoom({ byteCount: bytesOf(sequence), waitedMs: stalledSinceMs }),
      )
    )
      return ready;
    const readySet = new Set(ready);
    const claims = choices.map((choice) => this.#asClaim(choice, readySet.has(choice)));
    const stalled = new Set(claimsWithoutRoom(claims, sequences.kvBytesMax).map(({ choice }) => choice));
    for (const choice of stalled) choice.stall(clock.monotonic());
    return ready.filter((choice) => !stalled.has(choice));
  }

  /** Allocates the planned rows, the oldest choice's first. Choices without room are stalled and left out. */
  reserve(plan: readonly PlannedRows<Choice>[], choices: readonly Choice[]): PlannedRows<Choice>[] {
    const granted = new Set<Choice>();
    for (const { of: choice, rowCount } of [...plan].sort((a, b) => a.of.id - b.of.id)) {
      if (this.#allocate(choice, rowCount, choices, granted)) granted.add(choice);
      else choice.stall(this.#options.clock.monotonic());
    }
    return plan
      .filter(({ of }) => granted.has(of))
      .map(({ of, rowCount }) => ({ of, position: of.computedCount, rowCount: rowsLeft(of, rowCount) }));
  }

  /** Choices that have long found no room, and are too long to ever find it without context workers: these are full or gone. */
  hopeless(choices: Iterable<Choice>): Choice[] {
    const { clock } = this.#options;
    return [...choices].filter(
      ({ stalledSinceMs, tokenCountMax }) =>
        stalledSinceMs !== undefined &&
        clock.monotonic() - stalledSinceMs > PARK_MS &&
        tokenCountMax > longestAlone(this.#options),
    );
  }

  /** Choices that wait for nothing but room: not for features, a repair, what other workers say or take of it, or rows that another one computes, a beginning or what was lost. */
  #ready(choices: readonly Choice[]): Choice[] {
    const { sequences, geometry } = this.#options;
    const first = new Map<ActiveRequest, Choice>();
    for (const choice of choices) if (!first.has(choice.request)) first.set(choice.request, choice);
    const known = choices.filter(
      (choice) =>
        choice.request.features !== undefined &&
        this.#isPrepared(choice) &&
        !choice.awaitsMask &&
        !this.#followsSoon(choice, first.get(choice.request)),
    );
    // Who waits for other workers itself is about to go on: others who begin alike wait for it all the same.
    const following = prefixFollowers(known, ({ tokenCountMax }) => {
      if (!sequences.sharesPrefixes) return undefined;
      return sequences.isStriped(tokenCountMax) ? geometry.segmentRows : BLOCK_TOKENS;
    });
    for (const [follower, leader] of following) follower.waitFor(leader);
    const served = known.filter(
      ({ active, isMending }) => !isMending && (active === undefined || sequences.isSettled(active)),
    );
    const mended = repairFollowers(served);
    for (const [follower, leader] of mended) follower.follow(leader);
    return served.filter((choice) => !following.has(choice) && !mended.has(choice));
  }

  /** What other workers have left of a prompt is taken over before its first choice gets KV. */
  #isPrepared(choice: Choice): boolean {
    const { request } = choice;
    const { sequences, clock } = this.#options;
    if (choice.sequence !== undefined) return true;
    const isResumed = request.task.attempt >= ATTEMPT_STRIDE;
    const options = { sequences, clock, isResumed, over: request.over };
    request.preparation ??= new PromptPreparation(promptOf(choice), options);
    return request.preparation.isOver;
  }

  #open(choice: Choice): KvSequence {
    const sequence = this.#options.sequences.open(promptOf(choice));
    choice.open(sequence);
    if (choice.request.cachedCount === undefined) {
      choice.request.cachedCount = sequence.cachedCount;
      tellOpened(choice, sequence.cachedCount, this.#options.observer);
    }
    return sequence;
  }

  #allocate(choice: Choice, rowCount: number, choices: readonly Choice[], granted: Set<Choice>): boolean {
    const { sequences, observer } = this.#options;
    const sequence = choice.active ?? this.#open(choice);
    const rows = rowsLeft(choice, rowCount);
    while (!sequences.reserve(sequence, rows)) {
      const free = sequences.kvBytesMax - sequences.kvBytesUsed;
      const missing = sequences.bytesNeeded(sequence, rows) - free;
      const holders = choices.map((one) => this.#asHolder(one));
      const victim = chooseVictim(this.#asHolder(choice), holders, missing)?.choice;
      if (victim?.sequence === undefined) return false;
      sequences.close(victim.preempt());
      granted.delete(victim);
      observer.preempted();
    }
    return true;
  }

  /** Of a request with several choices the first computes the prompt; the others then find it in the cache. */
  #followsSoon(choice: Choice, first: Choice | undefined): boolean {
    if (first === undefined || first === choice || !this.#options.sequences.sharesPrefixes) return false;
    return choice.sequence === undefined && first.computedCount < first.promptLength;
  }

  /**
   * KV that a choice takes soon: all that is known of it and a block of output; once it was preempted, all the output that is expected, so that
   * it is not again.
   */
  #bytesSoon({ tokens, nextIndex, preemptionCount, request, tokenCountMax }: Choice): number {
    const { geometry, prefillRowsMax, outputs, sequences } = this.#options;
    const expected = preemptionCount === 0 ? 0 : outputs.remaining(nextIndex, request.task.params.maxTokens);
    const length = tokens.length + Math.max(geometry.blockRows, expected);
    return kvBytesPeak(
      geometry,
      sequences.isStriped(tokenCountMax) ? ownRowsMax(geometry, length) : length,
      prefillRowsMax,
    );
  }

  #asClaim(choice: Choice, isReady: boolean): KvClaim & HolderOf {
    return { ...this.#asHolder(choice), bytesSoon: this.#bytesSoon(choice), isReady };
  }

  #asHolder(choice: Choice): HolderOf {
    const { id, computedCount, preemptionCount, stalledSinceMs, sequence } = choice;
    const { cost, clock, prefillRowsMax } = this.#options;
    return {
      choice,
      id,
      byteCount: bytesOf(sequence),
      recomputeMs: cost.prefillMs(0, computedCount, prefillRowsMax),
      preemptionCount,
      waitedMs: stalledSinceMs === undefined ? undefined : clock.monotonic() - stalledSinceMs,
    };
  }
}

/** What is known of a choice's sequence before it is opened. */
function promptOf(choice: Choice): SequencePrompt {
  const { blockHashes, images, tenant } = choice.request.task;
  return {
    tokenIds: choice.tokens,
    blockHashes,
    ...(tenant && { salt: tenant.cacheSalt }),
    images,
    reuse: !choice.reportsPrompt,
    rowCountMax: choice.tokenCountMax,
  };
}

const bytesOf = (sequence: KvSequence | undefined): number => (sequence === undefined ? 0 : sequence.byteCount);

type HolderOf = Holder & Readonly<{ choice: Choice }>;

/** Of a prompt that was found in the cache less is left than was planned. */
function rowsLeft(choice: Choice, rowCount: number): number {
  return Math.min(rowCount, choice.pendingTokenCount);
}
