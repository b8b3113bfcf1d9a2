import type { TimeLimit } from "@drover/core";

/** Frames keep one call from holding up a stream, and stay far below the window that deadlocks. */
export const FRAME_BYTES_MAX = 256 * 1024;

/**
 * Free bytes before a payload, for the rest of its message. One with more (a hundred experts, a long trace state) is
 * copied.
 */
export const PAYLOAD_ROOM_BYTES = 256;

/** Windows of both ends of a connection; larger ones deadlock in Node's http2 when both ends burst. */
export const FLOW_CONTROL_WINDOW_BYTES = 256 * 1024;

/** How long a living stream waits for its peer, in milliseconds, and between two tries. */
export type StreamLimits = Readonly<{
  /** The wait after the first failure of a spell; it doubles with each that follows. */
  waitMs: number;
  /**
   * The longest wait. Each is cut by up to a half, by chance, so that those who lost one peer do not come back as one.
   */
  waitMsMax: number;
  /** A peer that has not taken the stream within this time is left: its address may lead nowhere. */
  answerMsMax: number;
  /** A peer that has said nothing for so long is left; never, where it has no reason to speak. */
  silenceMsMax?: number;
}>;

/** Every stream that lives as long as its opener, by what it is for. */
export const STREAM_LIMITS = {
  /** A worker's to the scheduler that leads. */
  membership: { waitMs: 250, waitMsMax: 1000, answerMsMax: 5000 },
  /** A router's to the scheduler that leads, which sends its state each second. */
  watch: { waitMs: 100, waitMsMax: 2000, answerMsMax: 5000, silenceMsMax: 5000 },
  /** A router's to an attention worker. */
  tokens: { waitMs: 100, waitMsMax: 1000, answerMsMax: 2000 },
  /**
   * An attention worker's to those that hold experts or segments: rows are parked while it is down, so it is tried
   * often.
   */
  peer: { waitMs: 100, waitMsMax: 250, answerMsMax: 5000 },
} as const satisfies Readonly<Record<string, StreamLimits>>;

/** What may be unanswered on a stream of requests, and for how long; beyond that a request is given up. */
export type RequestLimits = Readonly<{ callCountMax: number; byteCountMax: number; answerMsMax: number }>;

/**
 * An expert peer's. At 5,120 f32 values a row, 64 MiB are 3,200 rows: several steps of prefill. Late rows are parked
 * and tried again.
 */
export const EXPERT_REQUEST_LIMITS: RequestLimits = {
  callCountMax: 1024,
  byteCountMax: 64 * 2 ** 20,
  answerMsMax: 5_000,
};

/** Frames that go through memory: nothing else waits behind one, so they are larger. */
export const SHARED_FRAME_BYTES_MAX = 2 ** 20;

/**
 * Frames of a peer of the same host that are in memory at once, a power of two: each has room for 1 MiB of rows and as much of answers, 32 MiB together, of which
 * pages count that were used. Frames beyond them go over the stream.
 */
export const SHARED_SLOT_COUNT = 16;

/** A peer that has not said within this time whether it takes a segment is asked over the stream alone. */
export const SHARE_MS_MAX = 5_000;

/**
 * A context holder's: several steps of prefill, and the segments that finish meanwhile. A frame over a holder's part of
 * a million tokens takes seconds; rows without an answer are parked and tried again. Of queries this is the limit until a holder's times are known.
 */
export const CONTEXT_REQUEST_LIMITS: RequestLimits = {
  callCountMax: 4096,
  byteCountMax: 256 * 2 ** 20,
  answerMsMax: 30_000,
};

/** How often late requests are looked for. */
export const REQUEST_SWEEP_MS = 100;

/** A copy of a segment from one holder to another that is not whole by then is given up: one of a real model's has some 400 MB in bf16. */
export const SEGMENT_COPY_LIMIT: TimeLimit = { ms: 120_000, message: "the segment did not come in time" };

/** Segments that a context worker keeps for sequences to come, of all attention workers; beyond, the one that was kept longest goes. Their bytes are bounded by its memory. */
export const KEPT_SEGMENTS_MAX = 65_536;

/** Frames of a segment that are on their way at once: queries go in between. */
export const PUT_FRAMES_AT_ONCE = 4;

/** A secret of a cluster with fewer characters could be guessed; `drover secret` makes one of 43. */
export const SECRET_CHARACTERS_MIN = 16;

/** A proof of membership is good for so long, either way: what clocks of one cluster may differ by, and a call may take to be sent. */
export const PROOF_MS_MAX = 120_000;

/**
 * The largest message between processes; one that is larger ends its call with RESOURCE_EXHAUSTED. A request of ten million tokens has 40 MiB of ids
 * and 10 MiB of block hashes, and as much again where its answers are to be gone on with.
 */
export const MESSAGE_BYTES_MAX = 256 * 2 ** 20;

/** Calls at once of one connection; those beyond them wait at the caller. A router's largest burst of adds and cancels is far below. */
export const STREAMS_MAX = 4096;

/** Certificates that are made begin so long ago, for machines whose clocks are behind. */
export const CERTIFICATE_EARLY_MS = 3_600_000;

/** Peers' certificates that are remembered; when there are more, all are looked at anew. */
export const PEERS_KNOWN_MAX = 1024;

/** A request that is larger has a call of its own: on a stream, the others behind it would wait. */
export const CARRIED_BYTES_MAX = 64 * 1024;

/** Calls of one stream that are not answered; those beyond them have calls of their own, and a peer that carries more is told `overloaded`. */
export const CARRIED_CALLS_MAX = 1024;

/** A stream for calls that its peer has ended, or does not know of, is opened again when this is over and there is a call to make. */
export const CARRY_AGAIN_MS = 5_000;
