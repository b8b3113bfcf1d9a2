import { at } from "@drover/core";
import type { PeerCall } from "./expert-peer.ts";

/** Rows sorted by expert: the experts that have any, how many each has, and the rows. */
export type RoutedRows = Pick<PeerCall, "experts" | "counts" | "rows">;

/** The step's rows that one expert has. */
export type ExpertRows = Readonly<{ expert: number; rows: Int32Array }>;

/** The same rows, by expert: views of them. */
export function expertRowsOf({ experts, counts, rows }: RoutedRows): ExpertRows[] {
  let place = 0;
  return [...experts].map((expert, i) => {
    const from = place;
    place += at(counts, i);
    return { expert, rows: rows.subarray(from, place) };
  });
}

/** The highest of the experts that rows are for; -1 where there are none. */
export function highest(experts: Int32Array): number {
  let most = -1;
  for (const expert of experts) if (expert > most) most = expert;
  return most;
}
