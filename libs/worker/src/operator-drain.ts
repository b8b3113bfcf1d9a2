import type { Logger } from "@drover/core";

export type OperatorDrainOptions = Readonly<{
  logger: Logger;
  /** It drains from now on, or does not any more. */
  onChange: (wanted: boolean) => void;
}>;

/** Whether an operator wants this life of the worker to drain. The worker remembers it, so that it outlives a scheduler. */
export class OperatorDrain {
  readonly #options: OperatorDrainOptions;
  #wanted = false;

  constructor(options: OperatorDrainOptions) {
    this.#options = options;
  }

  get wanted(): boolean {
    return this.#wanted;
  }

  set(wanted: boolean): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#options.logger.info(wanted ? "worker.drain_asked" : "worker.drain_undone");
    this.#options.onChange(wanted);
  }
}
