import type { ExpertPeer } from "./expert-peer.ts";

/** The peers that can be asked now, by an index for each. */
export class ReachedPeers {
  readonly peers: ExpertPeer[] = [];
  readonly #peer: (workerId: string) => ExpertPeer | undefined;
  readonly #indices = new Map<string, number | undefined>();

  /** `peer`: whoever can be asked by this name, if anybody. */
  constructor(peer: (workerId: string) => ExpertPeer | undefined) {
    this.#peer = peer;
  }

  /** Of these workers, those that can be asked, in the same order. */
  indicesOf(workers: readonly string[] | undefined): number[] {
    const indices: number[] = [];
    for (const worker of workers ?? []) {
      if (!this.#indices.has(worker)) this.#indices.set(worker, this.#reach(worker));
      const index = this.#indices.get(worker);
      if (index !== undefined) indices.push(index);
    }
    return indices;
  }

  #reach(worker: string): number | undefined {
    const peer = this.#peer(worker);
    return peer === undefined ? undefined : this.peers.push(peer) - 1;
  }
}
