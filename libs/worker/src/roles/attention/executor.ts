import type { ContextHolder, ExpertExchange, RowLinks, StepRunner } from "@drover/core";
import type { CardExperts, DirectRows } from "@drover/cuda";
import type { ExpertPeer } from "@drover/exchange";
import { contextTokensMax, type KvGeometry } from "@drover/kv";
import type { StoredSequences } from "@drover/sequences";

/** Experts of the same worker, for its own steps. */
export type LocalExperts = Readonly<{
  peer: ExpertPeer;
  /** Whether the device of the worker's steps has all of them, whatever the map gives it. */
  areWhole: boolean;
  /** Those that a card holds, and bytes that they may take. */
  card: CardExperts | undefined;
  bytesMax: number;
  /** Counts rows that the worker's own steps have computed. */
  countRows: (layer: number, expert: number, rowCount: number) => void;
}>;

export type ExecutorOptions = Readonly<{
  /** Where the routed experts' rows are computed. */
  exchange: ExpertExchange;
  /** The experts of the same worker, where it holds some. */
  experts: LocalExperts | undefined;
  /** Learns of rows that are routed to an expert of the same card. */
  rowsRouted: (layer: number, expert: number, rowCount: number) => void;
  /** What is asked and told where a card's steps send rows to other cards by themselves. */
  direct: DirectRows;
  /** The context workers that there are now. */
  holders: () => readonly ContextHolder[];
}>;

/** What computes steps, and the KV of the sequences that it computes. */
export type Executor = Readonly<{
  runner: StepRunner;
  sequences: StoredSequences;
  geometry: KvGeometry;
  /** By which its rows may go to other devices of the host; undefined: none may. */
  links?: RowLinks | undefined;
  /** A sequence that may get longer has its old rows with context workers, where there are some. */
  stripeAbove: number;
}>;

/** From how many tokens on contexts are striped where nothing is said: what half of the KV holds. */
export function halfOf(geometry: KvGeometry, bytesMax: number, prefillChunk: number): number {
  return contextTokensMax(geometry, bytesMax / 2, prefillChunk);
}
