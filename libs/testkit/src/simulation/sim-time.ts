/** A life of something that events happen to. */
export interface Living {
  /** It is gone, and hears nothing any more. */
  readonly isGone: boolean;
  /** It stands still, and hears later what comes meanwhile. */
  readonly isPaused: boolean;
  /** Keeps what came while it stood still. */
  hold(event: SimEvent): void;
}

/** Something that happens at its time, to a process where it is of one. */
export type SimEvent = {
  readonly atMs: number;
  readonly order: number;
  readonly process: Living | undefined;
  readonly what: string;
  readonly happen: () => void;
  cancelled: boolean;
};

/** The time of a simulated world. */
export interface SimTime {
  /** Unix milliseconds at the start. */
  readonly startMs: number;
  /** Milliseconds since the start. */
  readonly nowMs: number;
  /** Has something happen in `inMs`. `what` is its line in the log; nothing is said where it is empty. */
  after(inMs: number, process: Living | undefined, what: string, happen: () => void): SimEvent;
  /** Draws of one purpose: more or fewer of another's leave them as they are. */
  chance(purpose: string): () => number;
}
