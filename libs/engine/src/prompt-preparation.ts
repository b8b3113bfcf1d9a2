import { type Clock, DroverError, type SequencePrompt, type SequenceStore, sleepUnlessAborted } from "@drover/core";
import { PREPARE_MS_MAX, PREPARE_PAUSE_MS, PREPARE_TRIES_MAX } from "./limits.ts";

export type PromptPreparationOptions = Readonly<{
  sequences: Pick<SequenceStore, "prepare">;
  clock: Clock;
  /** Whether another attempt has computed it, so that what it has left may be about to be given up. */
  isResumed: boolean;
  /** Aborts when nothing more is to be done for the request. */
  over: AbortSignal;
}>;

/** Has a prompt's choices wait until what other workers have left of it is taken over, for a bounded time. */
export class PromptPreparation {
  readonly #options: PromptPreparationOptions;
  #isOver = true;

  /** Asks at once. */
  constructor(prompt: SequencePrompt, options: PromptPreparationOptions) {
    this.#options = options;
    const asked = options.sequences.prepare(prompt);
    if (asked !== undefined) void this.#wait(prompt, asked);
  }

  /** Whether its choices may get KV. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async #wait(prompt: SequencePrompt, asked: Promise<boolean>): Promise<void> {
    const { clock, over } = this.#options;
    this.#isOver = false;
    const answered = new AbortController();
    const patience = sleepUnlessAborted(clock, PREPARE_MS_MAX, AbortSignal.any([answered.signal, over]));
    await Promise.race([this.#ask(prompt, asked), patience]);
    answered.abort(new DroverError("cancelled", "what others have left was taken over"));
    this.#isOver = true;
  }

  /** Again and again while somebody still reads some of it. */
  async #ask(prompt: SequencePrompt, asked: Promise<boolean>): Promise<void> {
    const { sequences, clock, isResumed, over } = this.#options;
    let mayCome = await asked;
    for (let tries = 1; mayCome && isResumed && tries < PREPARE_TRIES_MAX && !this.#isOver; tries++) {
      await sleepUnlessAborted(clock, PREPARE_PAUSE_MS, over);
      if (over.aborted) return;
      mayCome = (await sequences.prepare(prompt)) ?? false;
    }
  }
}
