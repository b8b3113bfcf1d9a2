import {
  chooseVictim,
  type Holder,
  type OutputLengths,
  owes,
  type PlannedEntry,
  type StepCost,
} from "@drover/batching";
import type { Clock, KvSequence, SequenceStore } from "@drover/core";
import { type KvGeometry, kvBytesPeak, ownRowsMax } from "@drover/kv";
import type { ActiveRequest } from "./active-request.ts";
import { longestAlone } from "./admission.ts";
import type { Choice } from "./choice.ts";
import { ENGINE_LIMITS } from "./limits.ts";
import { prefixFollowers } from "./prefix-followers.ts";
import type { ReservedRows } from "./step-entry.ts";

export type KvRoomOptions = Readonly<{
  sequences: SequenceStore;
  geometry: KvGeometry;
  prefillRowsMax: number;
  cost: StepCost;
  outputs: OutputLengths;
  clock: Clock;
  onPreempted: () => void;
  /** A request got KV for the first time. */
  onOpened: (promptTokenCount: number, cachedTokenCount: number) => void;
}>;

/** Who may have KV, and who gives it back when it runs out. */
export class KvRoom {
  readonly #options: KvRoomOptions;

  constructor(options: KvRoomOptions) {
    this.#options = options;
  }

  /**
   * Choices that the next step may serve: all that get on. One that has no KV yet, or found none in the last step, comes in when what it needs
   * soon fits beside what the others do, less what it may take from them by right of age. So a preempted one does not take its rows back from
   * the one that it gave way to, and nobody takes up rows of a step that it has no memory for.
   */
  runnable(choices: readonly Choice[]): Choice[] {
    for (const choice of choices) choice.repair = choice.sequence && this.#options.sequences.repair(choice.sequence);
    const first = new Map<ActiveRequest, Choice>();
    for (const choice of choices) if (!first.has(choice.request)) first.set(choice.request, choice);
    const served = choices.filter(
      (choice) =>
        choice.request.features !== undefined &&
        choice.repair !== "sending" &&
        !this.#followsSoon(choice, first.get(choice.request)),
    );
    const { sequences } = this.#options;
    const following = prefixFollowers(
      served,
      ({ tokenCountMax }) => sequences.sharesPrefixes && !sequences.isStriped(tokenCountMax),
    );
    const ready = served.filter((choice) => !following.has(choice));
    const waiting = ready.filter((choice) => bytesOf(choice) === 0 || choice.stalledSinceMs !== undefined);
    if (waiting.length === 0) return ready;
    const promises = new Map(choices.map((choice) => [choice, this.#promised(choice)]));
    let promised = [...promises.values()].reduce((sum, bytes) => sum + bytes, 0);
    const left = new Set<Choice>();
    for (const choice of waiting.sort((a, b) => a.id - b.id)) {
      const more = Math.max(0, this.#bytesSoon(choice) - bytesOf(choice));
      const needy = this.#asHolder(choice);
      let owed = 0;
      for (const [other, bytes] of promises) if (bytes > 0 && owes(this.#asHolder(other), needy)) owed += bytes;
      if (promised + more - owed <= this.#options.sequences.kvBytesMax) promised += more;
      else left.add(choice);
    }
    for (const choice of left) this.#stall(choice);
    return ready.filter((choice) => !left.has(choice));
  }

  /** Allocates the planned rows, the oldest choice's first. Who gets none is planned again when there is room. */
  reserve(plan: readonly PlannedEntry[], choices: ReadonlyMap<number, Choice>): ReservedRows[] {
    const planned: ReservedRows[] = [];
    for (const { id, rowCount } of plan) {
      const choice = choices.get(id);
      if (choice !== undefined) planned.push({ choice, rowCount });
    }
    const batch = new Set<Choice>();
    for (const rows of [...planned].sort((a, b) => a.choice.id - b.choice.id)) {
      if (this.#allocate(rows, choices, batch)) batch.add(rows.choice);
      else this.#stall(rows.choice);
    }
    return planned
      .filter(({ choice }) => batch.has(choice))
      .map(({ choice, rowCount }) => ({ choice, rowCount: rowsLeft(choice, rowCount) }));
  }

  /** Choices that have long found no room, and are too long to ever find it without context workers: these are full or gone. */
  hopeless(choices: Iterable<Choice>): Choice[] {
    const { clock } = this.#options;
    return [...choices].filter(
      ({ stalledSinceMs, tokenCountMax }) =>
        stalledSinceMs !== undefined &&
        clock.monotonic() - stalledSinceMs > ENGINE_LIMITS.parkMs &&
        tokenCountMax > longestAlone(this.#options),
    );
  }

  #open(choice: Choice): KvSequence {
    const { blockHashes, images } = choice.request.task;
    const sequence = this.#options.sequences.open({
      tokenIds: choice.tokens,
      blockHashes,
      images,
      reuse: !choice.reportsPrompt,
      rowCountMax: choice.tokenCountMax,
    });
    if (choice.request.cachedCount === undefined) {
      choice.request.cachedCount = sequence.cachedCount;
      this.#options.onOpened(choice.promptLength, sequence.cachedCount);
    }
    return sequence;
  }

  #allocate({ choice, rowCount }: ReservedRows, choices: ReadonlyMap<number, Choice>, batch: Set<Choice>): boolean {
    const { sequences, onPreempted } = this.#options;
    choice.sequence ??= this.#open(choice);
    const sequence = choice.active ?? choice.sequence;
    const rows = rowsLeft(choice, rowCount);
    while (!sequences.reserve(sequence, rows)) {
      const free = sequences.kvBytesMax - sequences.kvBytesUsed;
      const missing = sequences.bytesNeeded(sequence, rows) - free;
      const holders = [...choices.values()].map((one) => this.#asHolder(one));
      const victim = chooseVictim(this.#asHolder(choice), holders, missing);
      const loser = victim === undefined ? undefined : choices.get(victim.id);
      if (loser?.sequence === undefined) return false;
      sequences.close(loser.sequence);
      loser.sequence = undefined;
      loser.preemptionCount += 1;
      batch.delete(loser);
      onPreempted();
    }
    return true;
  }

  /** Of a request with several choices the first computes the prompt; the others then find it in the cache. */
  #followsSoon(choice: Choice, first: Choice | undefined): boolean {
    if (first === undefined || first === choice || !this.#options.sequences.sharesPrefixes) return false;
    return choice.sequence === undefined && first.computedCount < first.promptLength;
  }

  #stall(choice: Choice): void {
    choice.stalledSinceMs ??= this.#options.clock.monotonic();
  }

  /** Bytes that are spoken for: of a choice that gets on what it needs soon, of one that does not what it holds. */
  #promised(choice: Choice): number {
    const held = bytesOf(choice);
    return held === 0 || choice.stalledSinceMs !== undefined ? held : Math.max(held, this.#bytesSoon(choice));
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

  #asHolder(choice: Choice): Holder {
    const { id, computedCount, preemptionCount, stalledSinceMs } = choice;
    const { cost, clock, prefillRowsMax } = this.#options;
    return {
      id,
      byteCount: bytesOf(choice),
      recomputeMs: cost.prefillMs(0, computedCount, prefillRowsMax),
      preemptionCount,
      waitedMs: stalledSinceMs === undefined ? undefined : clock.monotonic() - stalledSinceMs,
    };
  }
}

/** Of a prompt that was found in the cache less is left than was planned. */
function rowsLeft(choice: Choice, rowCount: number): number {
  return Math.min(rowCount, choice.pendingTokenCount);
}

function bytesOf({ sequence }: Choice): number {
  return sequence?.byteCount ?? 0;
}
