import type { ContextHolder, ExpertExchange, StepRunner } from "@drover/core";
import type { KvGeometry } from "@drover/kv";
import type { StoredSequences } from "@drover/sequences";

export type ExecutorOptions = Readonly<{
  /** Where the routed experts' rows are computed. */
  exchange: ExpertExchange;
  /** Whether experts answer from other processes alone. */
  remoteExperts: boolean;
  /** The context workers that there are now. */
  holders: () => readonly ContextHolder[];
}>;

/** What computes steps, and the KV of the sequences that it computes. */
export type Executor = Readonly<{
  runner: StepRunner;
  sequences: StoredSequences;
  geometry: KvGeometry;
  /** A sequence that may get longer has its old rows with context workers; infinite: none has. */
  stripeAbove: number;
}>;
