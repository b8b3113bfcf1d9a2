import {
  chooseVictim,
  comparePrecedence,
  type Holder,
  isSenior,
  type PlannedEntry,
  type StepCost,
} from "@drover/batching";
import type { ModelRunner } from "@drover/core";
import { type KvGeometry, kvBytes, kvBytesPeak } from "@drover/kv";
import type { Choice } from "./choice.ts";
import type { ReservedRows } from "./step-entry.ts";

export type KvRoomOptions = Readonly<{
  runner: ModelRunner;
  geometry: KvGeometry;
  prefillRowsMax: number;
  cost: StepCost;
  onPreempted: () => void;
}>;

/** Who may have KV, and who gives it back when it runs out. */
export class KvRoom {
  readonly #options: KvRoomOptions;

  constructor(options: KvRoomOptions) {
    this.#options = options;
  }

  /**
   * Choices that the next step may serve. One without KV begins when what it needs soon fits beside what those before it need soon, so that a
   * preempted one does not take its rows back from the one that it gave way to; a senior always may.
   */
  runnable(choices: readonly Choice[]): Choice[] {
    const ready = choices.filter(({ request }) => request.features !== undefined);
    const starting = ready.filter((choice) => bytesOf(choice) === 0);
    if (starting.length === 0) return ready;
    let promised = 0;
    for (const choice of choices)
      if (bytesOf(choice) > 0) promised += Math.max(bytesOf(choice), this.#bytesSoon(choice));
    const waiting = new Set<Choice>();
    for (const choice of starting.sort((a, b) => comparePrecedence(asHolder(a), asHolder(b)))) {
      const need = this.#bytesSoon(choice);
      const fits = promised === 0 || promised + need <= this.#options.runner.kvBytesMax;
      if (fits || isSenior(asHolder(choice))) promised += need;
      else {
        waiting.add(choice);
        choice.stalledStepCount += 1;
      }
    }
    return ready.filter((choice) => !waiting.has(choice));
  }

  /** Allocates the planned rows, for those first that the others give way to. Who got none is planned again. */
  reserve(plan: readonly PlannedEntry[], choices: ReadonlyMap<number, Choice>): ReservedRows[] {
    const planned: ReservedRows[] = [];
    for (const { id, rowCount } of plan) {
      const choice = choices.get(id);
      if (choice !== undefined) planned.push({ choice, rowCount });
    }
    const batch = new Map<Choice, ReservedRows>();
    const byPrecedence = [...planned].sort((a, b) => comparePrecedence(asHolder(a.choice), asHolder(b.choice)));
    for (const rows of byPrecedence) {
      if (this.#allocate(rows, choices, batch)) batch.set(rows.choice, rows);
      else rows.choice.stalledStepCount += 1;
    }
    for (const { choice } of batch.values()) if (!isSenior(asHolder(choice))) choice.stalledStepCount = 0;
    return planned.filter(({ choice }) => batch.has(choice));
  }

  #allocate(
    { choice, rowCount }: ReservedRows,
    choices: ReadonlyMap<number, Choice>,
    batch: Map<Choice, ReservedRows>,
  ): boolean {
    const { runner, geometry, cost, prefillRowsMax, onPreempted } = this.#options;
    choice.sequence ??= runner.openSequence();
    while (!runner.reserve(choice.sequence, rowCount)) {
      const { length, byteCount } = choice.sequence;
      const free = runner.kvBytesMax - runner.kvBytesUsed;
      const missing = kvBytes(geometry, length, length + rowCount) - byteCount - free;
      const holders = [...choices.values()].map(asHolder);
      const victim = chooseVictim(asHolder(choice), holders, missing, ({ position }) =>
        cost.prefillMs(0, position, prefillRowsMax),
      );
      // Where it is cheapest to give way itself, it waits with its rows: another takes them if it must.
      if (victim === undefined || victim.id === choice.id) return false;
      const loser = choices.get(victim.id);
      if (loser?.sequence === undefined) return false;
      runner.close(loser.sequence);
      loser.sequence = undefined;
      loser.preemptionCount += 1;
      batch.delete(loser);
      onPreempted();
    }
    return true;
  }

  /** KV that a choice takes soon: all that is known of it and one block of output. */
  #bytesSoon(choice: Choice): number {
    const { geometry, prefillRowsMax } = this.#options;
    return kvBytesPeak(geometry, choice.tokens.length + geometry.blockRows, prefillRowsMax);
  }
}

function bytesOf({ sequence }: Choice): number {
  return sequence?.byteCount ?? 0;
}

function asHolder(choice: Choice): Holder {
  const { id, computedCount, preemptionCount, stalledStepCount } = choice;
  return { id, position: computedCount, byteCount: bytesOf(choice), preemptionCount, stalledStepCount };
}
