/** What a worker bounds, and by how much. */
export const WORKER_LIMITS = {
  /** A worker that a scheduler has lost for longer is not ready: a leader that is replaced is back within this time. */
  leaderlessMsMax: 10_000,
  /** How often a worker that ends looks whether its roles have finished. */
  drainPollMs: 50,
  /** Once nothing is left to do, what was written last has so long to leave. */
  shutDownMsMax: 1000,
  /** A new expert map's holders have so long to be connected while the last map still serves; less than placement's MOVED_EXPERT_KEPT_MS, for which these keep it. */
  mapConnectMs: 1000,
  mapPollMs: 10,
  /** How long, and how often, the holders of a map in use are waited for before the scheduler is told how it stands. */
  usableMsMax: 2000,
  usablePollMs: 20,
  /** How often the status is reported, unless the scheduler says otherwise. */
  heartbeatMs: 1000,
  /** Placement counts what it has handed out until the next status: a change is told this soon. */
  changeMs: 100,
  /** Hashes of the prefix cache in one message to the scheduler, bytes. */
  cacheFrameBytes: 256 * 1024,
  /** Prompts whose remaining time a status names one by one. */
  reportedPromptsMax: 64,
  /** Experts that a status names as the hottest. */
  hotExpertsMax: 8,
  /** Bytes that may wait for a router that does not read; beyond them its stream is broken off, and it resumes from the log. */
  unreadBytesMax: 64 * 2 ** 20,
  /** Attention workers that have ended their connections to experts may be back within this time. */
  expertsUnusedMs: 3000,
} as const;
