import { at, type Clock, systemClock } from "@drover/core";
import { DistributedExchange, type WhenSent } from "../distributed-exchange.ts";
import type { ExpertPeer, PeerCall } from "../expert-peer.ts";

const quiet = { rowsRouted: () => undefined, rowsMissing: () => undefined };

/** Expert e multiplies its rows by e + 1; one that does not answer may have written some. */
export function fakePeer(workerId: string, answers: () => boolean = () => true): ExpertPeer {
  return {
    workerId,
    connected: true,
    isHere: false,
    call: async ({ experts, counts, rows, z_aD, y_aD, width }: PeerCall) => {
      const scales = [...experts].flatMap((e, i) => Array.from({ length: at(counts, i) }, () => e + 1));
      for (const [i, row] of rows.entries())
        for (let d = row * width; d < (row + 1) * width; d++) y_aD[d] = at(z_aD, d) * at(scales, i);
      return answers();
    },
  };
}

/** For calls in which nothing is sent before something is computed here. */
export const nothingToSend = () => Promise.reject(new Error("nothing is sent"));

/** An exchange over these peers, which hold the experts of layer 1. */
export function exchangeOver(
  peers: readonly ExpertPeer[],
  layer: readonly (readonly string[])[],
  whenSent: WhenSent = nothingToSend,
  clock: Clock = systemClock,
): DistributedExchange {
  const exchange = new DistributedExchange(2, (id) => peers.find((p) => p.workerId === id), quiet, whenSent, clock);
  exchange.update({ epoch: 1n, expertCount: layer.length, layers: new Map([[1, layer]]) });
  return exchange;
}

/** Four rows for three experts. */
export const request = {
  layer: 1,
  z_aD: Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4),
  expert_a: Int32Array.of(2, 0, 1, 2),
  rowCount: 4,
};
