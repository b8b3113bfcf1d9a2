/** Jobs that may wait in one lane; an add beyond them is refused as overloaded. */
export const LANE_JOBS_MAX = 100_000;

/** How long a cancelled request stays cancelled in this process: longer than any delivery takes; what waits is taken out at once. */
export const TOMBSTONE_MS = 60_000;

/** Cancelled requests that are remembered in this process; beyond them the oldest is forgotten. What waited was taken out when it was cancelled. */
export const TOMBSTONES_MAX = 200_000;

/** The same in Redis, where what waits stays until it is taken: longer than a request's deadline of ten minutes; a longer one is told. */
export const REDIS_TOMBSTONE_MS = 660_000;

/** A job of a build whose protocol does not agree is put aside for so long, time and again, for a scheduler that knows it. */
export const FOREIGN_PAUSE_MS = 2000;

/** Such a job is dropped at this age: its request's deadline, at most ten minutes, is over. */
export const FOREIGN_AGE_MS = 660_000;

/** Bytes of payloads by reference in the embedded store. */
export const PAYLOAD_BYTES_MAX = 2 ** 30;
/** Payloads that one more looks at, whether their time is over: in the time of so many as there are, all are looked at four times. */
export const PAYLOADS_LOOKED_AT = 4;

/** Requests whose adds are remembered, so that a repeated add is ignored. */
export const KNOWN_JOBS_MAX = 200_000;

/** How long Redis keeps the leader's lease after its last renewal. */
export const LEASE_MS = 3000;

/** A leader renews this often, and stops leading this long before its lease may have run out. */
export const LEASE_RENEW_MS = 500;

/** A scheduler that stands by asks for the lease this often: a leader that ends in order is followed that soon. */
export const LEASE_ASK_MS = 200;

/** How long a job's lock survives its holder. A job comes back within about 1.5 times of that. */
export const LOCK_MS = 10_000;

/** Locks that have run out are looked for this often. */
export const STALLED_MS = 5000;

/** Holders of a job that may die one after the other, which is as good as any number: a job is dropped at its deadline. */
export const STALLED_COUNT_MAX = 1_000_000;

/** Schedulers look at their lanes this often, whatever is announced: a job whose lock has run out comes back without a word. */
export const POLL_MS = 500;

/** Protocols of other builds that are told of, once each; what comes beyond is put aside without a word. */
export const FOREIGN_PROTOCOLS_MAX = 16;

/** Jobs that BullMQ keeps for a while after their end, without their requests: a repeated add of one of them is ignored. */
export const ENDED_JOBS_KEPT = 1000;

/** In seconds: an older one goes when the next one ends. Longer than any add is tried again. */
export const ENDED_JOBS_KEPT_S = 600;

/** Redis that does not answer within this time has moved or died without a word: the connection is made anew. */
export const SILENCE_MS_MAX = 10_000;

/** What each try to connect waits longer than the last one, and the longest wait. */
export const RECONNECT_MS = 50;

export const RECONNECT_MS_MAX = 1000;

/** A connection that is not made within this time is tried again, where the name leads then. */
export const CONNECT_MS_MAX = 5000;

/** A server that is not ready so long after it was connected to, because it loads its data, is left for the one that has its name then. */
export const HANDSHAKE_MS_MAX = 5000;

/** A sentinel that does not answer within this time is passed over. */
export const SENTINEL_ANSWER_MS_MAX = 1000;

/** Sentinels of which none knows a primary, or that are away, are asked again, and the next one is listened to, after this. */
export const SENTINEL_RETRY_MS = 500;

/** Redis that refuses writes is tried this often, with a key that nobody reads. */
export const PROBE_MS = 500;
export const PROBE_KEY = "drover:probe";

/** Characters of what Redis said in the log. */
export const REDIS_WORDS_MAX = 120;

/** When to come back to a queue that is full or away. */
export const RETRY_AFTER_MS = 1000;

/** What tenants' parts of a lane are counted in, tokens. */
export const COST_TOKENS = 256;

/** Tokens of an answer that count where more may come: most answers are shorter than what they may be. */
export const ANSWER_TOKENS_COUNTED = 512;

/**
 * Tags of one class that Redis tells apart: BullMQ has 2^21 priorities. After 134 million tokens without a moment in which nothing waits, a lane is
 * first come, first served until that moment comes.
 */
export const TAG_MAX = 2 ** 19 - 1;
