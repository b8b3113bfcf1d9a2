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
  /** How long Redis keeps the leader's lease after its last renewal. */
  leaseMs: 3000,
  /** A leader renews this often, and stops leading this long before its lease may have run out. */
  leaseRenewMs: 500,
  /** A scheduler that stands by asks for the lease this often: a leader that ends in order is followed that soon. */
  leaseAskMs: 200,
  /** How long a job's lock survives its holder. A job comes back within about 1.5 times of that. */
  lockMs: 10_000,
  /** Locks that have run out are looked for this often. */
  stalledMs: 5000,
  /** Holders of a job that may die one after the other, which is as good as any number: a job is dropped at its deadline. */
  stalledCountMax: 1_000_000,
  /** Schedulers look at their lanes this often, whatever is announced: a job whose lock has run out comes back without a word. */
  pollMs: 500,
  /** Protocols of other builds that are told of, once each; what comes beyond is put aside without a word. */
  foreignProtocolsMax: 16,
  /** Jobs that BullMQ keeps for a while after their end: a repeated add of one of them is ignored. */
  endedJobsKept: 1000,
  /** Redis that does not answer within this time has moved or died without a word: the connection is made anew. */
  silenceMsMax: 10_000,
  /** What each try to connect waits longer than the last one, and the longest wait. */
  reconnectMs: 50,
  reconnectMsMax: 1000,
  /** When to come back to a queue that is full or away. */
  retryAfterMs: 1000,
} as const;
