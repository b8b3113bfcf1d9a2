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

  async call({ layer, experts, counts, rows, z_aD, y_aD, width, isOver }: PeerCall): Promise<boolean> {
    if (!experts.every((expert) => this.#runner.has(layer, expert))) return false;
    const z = consecutiveRows(z_aD, rows, width);
    // What may be over before it is computed is not computed in place: its rows may be of another layer by then.
    const y = isOver === undefined ? consecutiveRows(y_aD, rows, width) : undefined;
    if (z !== undefined && y !== undefined) {
      await this.#runner.run(layer, experts, counts, z, y);
      return true;
    }
    const sorted = new Float32Array(rows.length * width);
    const answers = new Float32Array(rows.length * width);
    gatherRows(z_aD, rows, width, sorted);
    await this.#runner.run(layer, experts, counts, sorted, answers);
    if (isOver?.()) return false;
    scatterRows(answers, rows, width, y_aD);
    return true;
  }
}
