import type { LeaderGrant, LeaderLease } from "@drover/core";

/** With the embedded queue there is exactly one scheduler, which leads from its start. Its epoch is its starting time. */
export class EmbeddedLease implements LeaderLease {
  readonly trouble = undefined;
  readonly #address: string;
  readonly #epoch: bigint;

  constructor(address: string, startedAtMs: number) {
    this.#address = address;
    this.#epoch = BigInt(startedAtMs);
  }

  async acquire(signal: AbortSignal): Promise<LeaderGrant> {
    signal.throwIfAborted();
    return { epoch: this.#epoch, lost: new AbortController().signal, release: async () => undefined };
  }

  async leaderAddress(signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    return this.#address;
  }
}
