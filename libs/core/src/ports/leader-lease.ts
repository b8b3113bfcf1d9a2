/** Leadership, while it is held: at most one process holds it, and a later holder's epoch is greater. */
export interface LeaderGrant {
  readonly epoch: bigint;
  /** Aborts when the lease can no longer be renewed: the holder stops giving orders at once. */
  readonly lost: AbortSignal;
  /** Gives leadership up, so that another process can have it at once. */
  release(): Promise<void>;
}

/** What decides which of several schedulers leads. */
export interface LeaderLease {
  /** Why nobody can be asked for the lease now; undefined when somebody can. */
  readonly trouble: string | undefined;
  /** Waits until this process leads. Errors: the signal's reason. */
  acquire(signal: AbortSignal): Promise<LeaderGrant>;
  /** The leader's address; undefined where nobody leads. Errors: `unavailable` when that cannot be found out now. */
  leaderAddress(signal: AbortSignal): Promise<string | undefined>;
}
