import { constants } from "node:os";
import { type Clock, DroverError, sleepUnlessAborted } from "@drover/core";
import { SignalOrder } from "./signal-order.ts";

export type EndingOptions = Readonly<{
  /** How long new work is still taken: who sends it hears of the end a moment later. */
  drainDelay: number;
  /** How long what runs then may take to finish. */
  drainGrace: number;
  /** Nobody is left to end for: all three moments come at once. */
  parentGone: AbortSignal;
  clock: Clock;
}>;

/** The three moments of an orderly end. Each aborts once, in this order, maybe together. */
export type Ending = Readonly<{
  /** The process was asked to end. It is not ready any more, and still takes what comes. */
  asked: AbortSignal;
  /** The delay is over: nothing new is taken. */
  refusing: AbortSignal;
  /** The grace is over too: what still runs is handed back or cut off. */
  over: AbortSignal;
}>;

/** What follows when a process is asked to end; `ask` begins it, `cut` brings all of it at once. */
export class EndingSequence implements Ending {
  readonly #options: Pick<EndingOptions, "drainDelay" | "drainGrace" | "clock">;
  readonly #asked = new AbortController();
  readonly #refusing = new AbortController();
  readonly #over = new AbortController();

  constructor(options: Pick<EndingOptions, "drainDelay" | "drainGrace" | "clock">) {
    this.#options = options;
  }

  get asked(): AbortSignal {
    return this.#asked.signal;
  }

  get refusing(): AbortSignal {
    return this.#refusing.signal;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Again and again is like once. */
  async ask(): Promise<void> {
    if (this.asked.aborted) return;
    const { clock, drainDelay, drainGrace } = this.#options;
    this.#asked.abort(ended());
    // A cut ends both waits.
    if (drainDelay > 0) await sleepUnlessAborted(clock, drainDelay, this.over);
    this.#refusing.abort(ended());
    if (drainGrace > 0) await sleepUnlessAborted(clock, drainGrace, this.over);
    this.#over.abort(ended());
  }

  cut(): void {
    for (const moment of [this.#asked, this.#refusing, this.#over]) moment.abort(ended());
  }
}

/** What work is told that does not outlive one of the moments: another process may take it. */
const ended = () => new DroverError("unavailable", "the process is ending");

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** The exit status by which a shell tells of a process that a signal has ended. */
export const signalExitStatus = (name: NodeJS.Signals): number => 128 + constants.signals[name];

/** The end of this process, as SIGTERM, SIGINT and its parent ask for it. A second signal ends it at once. */
export function attachEnding(options: EndingOptions): Ending {
  const ending = new EndingSequence(options);
  const order = new SignalOrder(options.clock);
  for (const name of SIGNALS)
    process.on(name, () => {
      if (order.next() === "again") process.exit(signalExitStatus(name));
      void ending.ask();
    });
  const cut = () => ending.cut();
  options.parentGone.addEventListener("abort", cut, { once: true });
  if (options.parentGone.aborted) cut();
  return ending;
}
