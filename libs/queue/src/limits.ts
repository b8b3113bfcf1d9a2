/** What the queue bounds. */
export const QUEUE_LIMITS = {
  /** Jobs that may wait in one lane; an add beyond them is refused as overloaded. */
  laneJobsMax: 100_000,
  /** How long a cancelled request stays cancelled in this process: longer than any delivery takes; what waits is taken out at once. */
  tombstoneMs: 60_000,
  /** Cancelled requests that are remembered in this process; beyond them the oldest is forgotten. What waited was taken out when it was cancelled. */
  tombstonesMax: 200_000,
  /** The same in Redis, where what waits stays until it is taken: longer than a request's longest deadline of ten minutes. */
  redisTombstoneMs: 660_000,
  /** A job of a build whose protocol does not agree is put aside for so long, time and again, for a scheduler that knows it. */
  foreignPauseMs: 2000,
  /** Such a job is dropped at this age: its request's deadline, at most ten minutes, is over. */
  foreignAgeMs: 660_000,
  /** Bytes of payloads by reference in the embedded store. */
  payloadBytesMax: 2 ** 30,
  /** Requests whose adds are remembered, so that a repeated add is ignored. */
  knownJobsMax: 200_000,
} as const;
