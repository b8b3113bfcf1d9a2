import type { KvSequence, PendingStep, SequenceStore, Step, StepResult, StepRunner } from "@drover/core";

/** A step that was handed over, and the sequences that it reads and writes. */
export type StepUnderWay = Readonly<{ pending: PendingStep; held: readonly KvSequence[] }>;

/** Hands steps over, and keeps the sequences that they read and write open until they are over: whoever lets go of one meanwhile frees it only then. */
export class StepExecution {
  readonly #sequences: SequenceStore;
  readonly #runner: StepRunner;
  /** Of each sequence how many steps use it: one, or one and that behind it. */
  readonly #inSteps = new Map<KvSequence, number>();
  readonly #closing = new Set<KvSequence>();

  constructor({ sequences, runner }: Readonly<{ sequences: SequenceStore; runner: StepRunner }>) {
    this.#sequences = sequences;
    this.#runner = runner;
  }

  /** Hands a step over. `held`: the sequences whose KV it uses, those that are being repaired among them. */
  submit(step: Step, held: readonly KvSequence[]): StepUnderWay {
    this.#hold(held);
    try {
      return { pending: this.#runner.submit(step), held };
    } catch (error) {
      this.#letGo(held);
      throw error;
    }
  }

  /** Hands a step over behind the one that is computed; undefined where that has to be over first. `of`: see `StepRunner.follow`. */
  follow(step: Step, of: readonly number[], held: readonly KvSequence[]): StepUnderWay | undefined {
    const pending = this.#runner.follow?.(step, of);
    if (pending === undefined) return undefined;
    this.#hold(held);
    return { pending, held };
  }

  /** Waits for a step's end. `meanwhile`: what is done until then. */
  async end({ pending, held }: StepUnderWay, meanwhile: () => Promise<void>): Promise<StepResult> {
    try {
      // Both at once: a step that fails meanwhile is waited for already.
      const [result] = await Promise.all([pending.result(), meanwhile()]);
      return result;
    } finally {
      this.#letGo(held);
    }
  }

  /** Closes a sequence: at once, or when the steps that use it are over. */
  close(sequence: KvSequence): void {
    if (this.#inSteps.has(sequence)) this.#closing.add(sequence);
    else this.#sequences.close(sequence);
  }

  #hold(held: readonly KvSequence[]): void {
    for (const sequence of held) this.#inSteps.set(sequence, (this.#inSteps.get(sequence) ?? 0) + 1);
  }

  #letGo(held: readonly KvSequence[]): void {
    for (const sequence of held) {
      const others = (this.#inSteps.get(sequence) ?? 1) - 1;
      if (others > 0) this.#inSteps.set(sequence, others);
      else this.#inSteps.delete(sequence);
      if (others === 0 && this.#closing.delete(sequence)) this.#sequences.close(sequence);
    }
  }
}
