import type { ExpertRunner } from "@drover/core";
import { consecutiveRows, gatherRows, scatterRows } from "./dispatch.ts";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";

/** Experts of this very process: called directly, through the same port. */
export class LocalPeer implements ExpertPeer {
  readonly workerId: string;
  readonly connected = true;
  readonly isHere = true;
  readonly #runner: ExpertRunner;

  constructor(workerId: string, runner: ExpertRunner) {
    this.workerId = workerId;
    this.#runner = runner;
  }

  async call({ layer, experts, counts, rows, z_aD, y_aD, width }: PeerCall): Promise<boolean> {
    if (!experts.every((expert) => this.#runner.has(layer, expert))) return false;
    const z = consecutiveRows(z_aD, rows, width);
    const y = consecutiveRows(y_aD, rows, width);
    if (z !== undefined && y !== undefined) await this.#runner.run(layer, experts, counts, z, y);
    else {
      const sorted = new Float32Array(rows.length * width);
      const answers = new Float32Array(rows.length * width);
      gatherRows(z_aD, rows, width, sorted);
      await this.#runner.run(layer, experts, counts, sorted, answers);
      scatterRows(answers, rows, width, y_aD);
    }
    return true;
  }
}
