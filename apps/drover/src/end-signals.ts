import { type Clock, DroverError, systemClock } from "@drover/core";
import { SignalOrder, signalExitStatus } from "@drover/process";

const NAMES = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The reason of a command that a signal ends, with the exit status by which a shell tells of it. */
export class Interrupted extends DroverError {
  readonly status: number;

  constructor(name: (typeof NAMES)[number]) {
    super("cancelled", `it was ended by ${name}`);
    this.status = signalExitStatus(name);
  }
}

/** The exit status of a command that `ended` has ended; undefined where no signal has. */
export function interruptedStatus(ended: AbortSignal): number | undefined {
  return ended.aborted && ended.reason instanceof Interrupted ? ended.reason.status : undefined;
}

export type EndSignalsOptions = Readonly<{
  /** Signals of other kinds that end the command too. */
  others?: readonly AbortSignal[];
  /** What a second signal does; without it the process exits at once. */
  again?: (reason: Interrupted) => void;
  clock?: Pick<Clock, "monotonic">;
}>;

/** A signal that aborts with `Interrupted` at the first SIGINT, SIGTERM or SIGHUP, or when one of the others aborts, with its reason. */
export function endSignals({
  others = [],
  again = ({ status }) => process.exit(status),
  clock = systemClock,
}: EndSignalsOptions = {}): AbortSignal {
  const ended = new AbortController();
  const order = new SignalOrder(clock);
  for (const name of NAMES) {
    process.on(name, () => {
      const reason = new Interrupted(name);
      if (order.next() === "again") again(reason);
      else ended.abort(reason);
    });
  }
  for (const other of others) {
    other.addEventListener("abort", () => ended.abort(other.reason), { once: true });
    if (other.aborted) ended.abort(other.reason);
  }
  return ended.signal;
}
