import type { ExpertPeer } from "./expert-peer.ts";

/** The rows that go to one peer, sorted by expert. */
export type Share = { readonly peer: ExpertPeer; experts: number[]; counts: number[]; rows: number[] };

/** A step's rows by the peer that answers them, and those whose expert nobody connected holds. */
export type Shares = Readonly<{ shares: readonly Share[]; missing: readonly number[] }>;

/** Adds an expert's rows to its peer's share, behind those of other experts. */
export function addRows(shares: Map<string, Share>, peer: ExpertPeer, expert: number, rows: Int32Array): void {
  const share = shares.get(peer.workerId) ?? { peer, experts: [], counts: [], rows: [] };
  shares.set(peer.workerId, share);
  share.experts.push(expert);
  share.counts.push(rows.length);
  for (const row of rows) share.rows.push(row);
}
