import type { ExpertRunner } from "@drover/core";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";

/** Experts of this very process: called directly, through the same port. */
export class LocalPeer implements ExpertPeer {
  readonly workerId: string;
  readonly connected = true;
  readonly #runner: ExpertRunner;

  constructor(workerId: string, runner: ExpertRunner) {
    this.workerId = workerId;
    this.#runner = runner;
  }

  async call({ layer, experts, counts, z }: PeerCall): Promise<Float32Array | undefined> {
    if (!experts.every((expert) => this.#runner.has(layer, expert))) return undefined;
    const y = new Float32Array(z.length);
    this.#runner.run(layer, experts, counts, z, y);
    return y;
  }
}
