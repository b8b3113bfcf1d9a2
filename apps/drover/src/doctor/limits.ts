import type { TimeLimit } from "@drover/core";

/** Redis and every peer answer within this time, or are said not to. */
export const DOCTOR_ANSWER_MS_MAX = 5_000;
export const DOCTOR_ANSWER_LIMIT: TimeLimit = { ms: DOCTOR_ANSWER_MS_MAX, message: "it did not answer within 5 s" };
/** Clocks may differ by this much; job ages, deadlines and traces are wrong by it. */
export const CLOCK_SKEW_MS_WARN = 500;
/** Beyond it deadlines end requests that have just begun. */
export const CLOCK_SKEW_MS_FAIL = 10_000;
/** A queue call takes one or two of these. */
export const REDIS_LATENCY_MS_WARN = 10;
/** Pings of which the median counts. */
export const REDIS_PING_COUNT = 5;
/** BullMQ's scripts need streams and SET's KEEPTTL as 6.2 has them. */
export const REDIS_VERSION_MIN = [6, 2] as const;
/** A router holds a socket for each client, a worker a file for each expert of a converted checkpoint. */
export const OPEN_FILES_MIN = 4096;
/** Loading a converted checkpoint and cutting images use the temporary folder. */
export const TMP_BYTES_MIN = 256 * 2 ** 20;
/** Peers that are asked at once. */
export const PEERS_ASKED_AT_ONCE = 16;
/** A worker that said nothing for longer is about to be dropped. */
export const SILENT_MS_WARN = 2_500;
/** Of a router's HTTP `Date` header, which has whole seconds. */
export const DATE_HEADER_MS = 1_000;
/** A card of which others hold more leaves little to keys and values. */
export const CARD_FREE_SHARE_MIN = 0.5;

/** A certificate that is good for less is warned of. */
export const CERTIFICATE_LEFT_MS_WARN = 21 * 86_400_000;
