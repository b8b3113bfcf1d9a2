import type { ContextHolder } from "@drover/core";
import type { WorkerEndpoint } from "@drover/fleet";

/** `draining`: it is given nothing new. */
type OpenHolder = ContextHolder & Disposable & { draining: boolean };
type ConnectedHolder = Readonly<{ incarnation: string; address: string; holder: OpenHolder }>;

/** The context workers that the scheduler names: one connection for each life of one. */
export class ContextPeers implements Disposable {
  readonly #open: (workerId: string, address: string) => OpenHolder;
  readonly #known = new Map<string, ConnectedHolder>();
  #holders: readonly ContextHolder[] = [];

  constructor(open: (workerId: string, address: string) => OpenHolder) {
    this.#open = open;
  }

  /** In the order of their ids, which stays as workers come and go. */
  get holders(): readonly ContextHolder[] {
    return this.#holders;
  }

  /**
   * Connections to lives that are not named any more are closed, unless what they hold can still be read: a scheduler that has lost sight of
   * a worker says nothing of its memory.
   */
  update(holders: readonly WorkerEndpoint[]): void {
    const named: ReadonlySet<string> = new Set(holders.map(({ workerId }) => workerId));
    for (const [workerId, { holder }] of this.#known) {
      if (named.has(workerId) || holder.connected) continue;
      holder[Symbol.dispose]();
      this.#known.delete(workerId);
    }
    for (const { workerId, incarnation, address } of holders) {
      const known = this.#known.get(workerId);
      if (known?.incarnation === incarnation && known.address === address) continue;
      known?.holder[Symbol.dispose]();
      this.#known.set(workerId, { incarnation, address, holder: this.#open(workerId, address) });
    }
    for (const { workerId, draining } of holders) {
      const known = this.#known.get(workerId);
      if (known !== undefined) known.holder.draining = draining;
    }
    this.#holders = [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { holder }]) => holder);
  }

  [Symbol.dispose](): void {
    for (const { holder } of this.#known.values()) holder[Symbol.dispose]();
    this.#known.clear();
    this.#holders = [];
  }
}
