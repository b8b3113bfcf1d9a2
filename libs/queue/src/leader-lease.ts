/** Holding it is leading: at most one process holds it, and a later holder's epoch is greater. */
export interface HeldLease {
  readonly epoch: bigint;
  /** Aborts when the lease can no longer be renewed: the holder stops giving orders at once. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export interface LeaderLease {
  /** Why nobody can be asked for the lease now; undefined when somebody can. */
  readonly trouble: string | undefined;
  /** Waits until this process leads. */
  acquire(signal: AbortSignal): Promise<HeldLease>;
  /** The leader's address, where one leads. */
  leaderAddress(signal: AbortSignal): Promise<string | undefined>;
  close(): Promise<void>;
}

/** With the embedded queue there is exactly one scheduler, which leads from its start. Its epoch is its starting time. */
export class EmbeddedLease implements LeaderLease {
  readonly trouble = undefined;
  readonly #address: string;
  readonly #epoch: bigint;

  constructor(address: string, startedAtMs: number) {
    this.#address = address;
    this.#epoch = BigInt(startedAtMs);
  }

  async acquire(signal: AbortSignal): Promise<HeldLease> {
    signal.throwIfAborted();
    return { epoch: this.#epoch, lost: new AbortController().signal, release: async () => undefined };
  }

  async leaderAddress(signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    return this.#address;
  }

  async close(): Promise<void> {
    // Nothing is held outside this process.
  }
}
