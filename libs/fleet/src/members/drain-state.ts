/** How far a draining worker is. It may end once it is drained; others may still load its experts before. */
export type DrainState = Readonly<{
  /** Whether nobody needs anything of it any more. */
  drained: boolean;
  /** Whether nobody needs its experts any more. */
  expertsDrained: boolean;
  /** Why its experts cannot go elsewhere, as a sentence; undefined where they can. */
  obstacle: string | undefined;
  /** Experts that it still has in memory. */
  expertCount: number;
  /** Requests that it runs or has accepted. */
  requestCount: number;
}>;

/** A person asks a worker to drain. */
export type DrainRequest = Readonly<{
  workerId: string;
  /** Take it back: the worker serves again. */
  undo: boolean;
  /** Only this life of the worker; undefined: whichever there is. */
  incarnation: string | undefined;
}>;

export type DrainReply = Readonly<{
  /** The incarnation of the worker that is there. */
  incarnation: string;
  /** Whether the worker drains now; where it was asked to, the order may still be on its way. */
  draining: boolean;
  /** Undefined for a worker that serves. */
  state: DrainState | undefined;
}>;
