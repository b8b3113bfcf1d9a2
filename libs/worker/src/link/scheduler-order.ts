import type { ContextWorkers, DrainState, ExpertMap, LayerExperts } from "@drover/proto";

/** What the leading scheduler tells a worker. */
export type SchedulerOrder =
  /** It leads, in this epoch. */
  | Readonly<{ kind: "lead"; epoch: bigint }>
  /** The worker is to hold these experts and no others. */
  | Readonly<{ kind: "hold"; layers: readonly LayerExperts[] }>
  /** Who holds which experts. */
  | Readonly<{ kind: "map"; map: ExpertMap }>
  /** All workers of role `context`, at every change. */
  | Readonly<{ kind: "context_workers"; workers: ContextWorkers }>
  /** An operator wants the worker to drain, or wants it back. */
  | Readonly<{ kind: "drain"; wanted: boolean }>
  /** How far the worker is, while it drains. */
  | Readonly<{ kind: "drain_state"; state: DrainState }>;
