import type { LeaderGrant, LeaderLease } from "@drover/core";

/** Leadership by the test's word. */
export class FakeLease implements LeaderLease {
  trouble: string | undefined;
  address: string | undefined;
  releasedCount = 0;
  #grant = Promise.withResolvers<bigint>();
  #lost = new AbortController();

  async acquire(signal: AbortSignal): Promise<LeaderGrant> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const epoch = await Promise.race([this.#grant.promise, aborted]);
    this.#grant = Promise.withResolvers();
    this.#lost = new AbortController();
    const release = async () => {
      this.releasedCount += 1;
    };
    return { epoch, lost: this.#lost.signal, release };
  }

  async leaderAddress(): Promise<string | undefined> {
    return this.address;
  }

  grant(epoch: bigint): void {
    this.#grant.resolve(epoch);
  }

  lose(): void {
    this.#lost.abort();
  }
}
