import type { KvSequence, SequenceStore, Step, StepResult, StepRunner } from "@drover/core";

/** Runs one step at a time, and keeps the sequences that it reads and writes open until it is over: whoever lets go of one meanwhile frees it only then. */
export class StepExecution {
  readonly #sequences: SequenceStore;
  readonly #runner: StepRunner;
  readonly #inStep = new Set<KvSequence>();
  readonly #closing: KvSequence[] = [];

  constructor({ sequences, runner }: Readonly<{ sequences: SequenceStore; runner: StepRunner }>) {
    this.#sequences = sequences;
    this.#runner = runner;
  }

  /** Computes a step. `held`: the sequences whose KV it uses, those that are being repaired among them. `meanwhile`: what is done once the step was handed over. */
  async run(step: Step, held: readonly KvSequence[], meanwhile: () => Promise<void>): Promise<StepResult> {
    for (const sequence of held) this.#inStep.add(sequence);
    try {
      await this.#sequences.settled(step.entries.map(({ sequence }) => sequence));
      const pending = this.#runner.submit(step);
      // Both at once: a step that fails meanwhile is waited for already.
      const [result] = await Promise.all([pending.result(), meanwhile()]);
      return result;
    } finally {
      this.#inStep.clear();
      for (const sequence of this.#closing.splice(0)) this.#sequences.close(sequence);
    }
  }

  /** Closes a sequence: at once, or when the step that uses it is over. */
  close(sequence: KvSequence): void {
    if (this.#inStep.has(sequence)) this.#closing.push(sequence);
    else this.#sequences.close(sequence);
  }
}
