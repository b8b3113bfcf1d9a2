import type { CudaDevice, Event, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import type { Question, StepHeads } from "./step-heads.ts";
import type { RankedRow, StepOutputs } from "./step-outputs.ts";
import type { HeadRun } from "./text-program.ts";

/** A step that is enqueued, and not over. */
export type StepFlight = {
  readonly question: Question;
  readonly head: readonly HeadRun[];
  readonly rowCount: number;
  /** Of two on their way each has its own places in pinned memory, 0 or 1. */
  readonly turn: number;
  /** Its one run of the head, where all of its rows are wanted and the card draws all of its tokens; undefined: no step can be enqueued behind it before it is over. */
  readonly followed: HeadRun | undefined;
  /** One was. */
  isFollowed?: boolean;
};

/** Steps that are enqueued: one, and at most one behind it. */
export class StepFlights {
  readonly #parts: Readonly<{ device: CudaDevice; stream: Stream; outputs: StepOutputs; heads: StepHeads }>;
  readonly #events: readonly [Event, Event];
  readonly #flights: StepFlight[] = [];

  constructor(parts: Readonly<{ device: CudaDevice; stream: Stream; outputs: StepOutputs; heads: StepHeads }>) {
    this.#parts = parts;
    this.#events = [parts.device.createEvent(), parts.device.createEvent()];
  }

  get isBusy(): boolean {
    return this.#flights.length > 0;
  }

  /** The one step that is on its way, where another may be enqueued behind it. */
  get followable(): (StepFlight & { followed: HeadRun }) | undefined {
    const [flight, next] = this.#flights;
    return flight?.followed === undefined || next !== undefined
      ? undefined
      : (flight as StepFlight & { followed: HeadRun });
  }

  /** All of a step is enqueued but for the copies of what it answers. */
  begin(flight: StepFlight): StepFlight {
    const { device, outputs, stream } = this.#parts;
    outputs.fetch(flight.head, flight.rowCount, flight.turn, stream);
    device.record(this.#eventOf(flight), stream);
    this.#flights.push(flight);
    return flight;
  }

  /** Waits for its end. The wanted rows, and the experts of all, [rows, MoE layers]. Errors: the card's. */
  async end(flight: StepFlight): Promise<Readonly<{ rows: readonly RankedRow[]; experts: Uint16Array }>> {
    const { device, outputs, heads } = this.#parts;
    await passed(device, this.#eventOf(flight));
    this.#flights.shift();
    const { head, question, turn, isFollowed = false } = flight;
    const rows = heads.answer(head, question.topCount, turn, isFollowed);
    return { rows, experts: outputs.experts(0, flight.rowCount, turn) };
  }

  close(): void {
    for (const event of this.#events) this.#parts.device.destroyEvent(event);
  }

  #eventOf({ turn }: StepFlight): Event {
    return turn === 0 ? this.#events[0] : this.#events[1];
  }
}
