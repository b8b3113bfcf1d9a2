import type { ExpertPeer, HolderMap } from "@drover/exchange";
import type { ExpertMap } from "@drover/fleet";

/** The map as the exchange reads it. */
export function holderMapOf({ epoch, experts: layers }: ExpertMap): HolderMap {
  const expertCount = [...layers.values()].reduce((most, experts) => Math.max(most, experts.length), 0);
  return { epoch, expertCount, layers };
}

/** A connection; retired, it takes no more calls and ends with those under way. */
type OpenPeer = ExpertPeer & Disposable & { retire(): void };
type ConnectedPeer = Readonly<{ incarnation: string; address: string; peer: OpenPeer }>;

/** The peers of the current map: one connection for each life of a worker, opened and ended as maps name them. */
export class ExpertPeers implements Disposable {
  readonly #open: (workerId: string, address: string) => OpenPeer;
  readonly #local: ExpertPeer | undefined;
  readonly #peers = new Map<string, ConnectedPeer>();

  /** `local` answers for this very worker, where it holds experts itself. */
  constructor(open: (workerId: string, address: string) => OpenPeer, local: ExpertPeer | undefined) {
    this.#open = open;
    this.#local = local;
  }

  get(workerId: string): ExpertPeer | undefined {
    return workerId === this.#local?.workerId ? this.#local : this.#peers.get(workerId)?.peer;
  }

  /** Connects to who is named and not connected yet. */
  open(map: ExpertMap): void {
    for (const { workerId, incarnation, address } of map.holders) {
      if (workerId === this.#local?.workerId) continue;
      const known = this.#peers.get(workerId);
      if (known?.incarnation === incarnation && known.address === address) continue;
      known?.peer[Symbol.dispose]();
      this.#peers.set(workerId, { incarnation, address, peer: this.#open(workerId, address) });
    }
  }

  /** Ends what the map does not name, as soon as what was sent there is answered. */
  keep(map: ExpertMap): void {
    const named: ReadonlySet<string> = new Set(map.holders.map(({ workerId }) => workerId));
    for (const [workerId, { peer }] of this.#peers) {
      if (named.has(workerId)) continue;
      peer.retire();
      this.#peers.delete(workerId);
    }
  }

  [Symbol.dispose](): void {
    for (const { peer } of this.#peers.values()) peer[Symbol.dispose]();
    this.#peers.clear();
  }
}
