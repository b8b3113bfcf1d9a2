import type { TimeLimit } from "@drover/core";

/** Tenants that metrics and the export of usage know by name; those that come later are counted together, as `(other)`. */
export const TENANT_SERIES_MAX = 200;

/** Largest HTTP body and gRPC message. */
export const BODY_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Bytes of all HTTP bodies and gRPC messages that a router has received and not yet made prompts of, unless `--body-memory`; one that goes beyond them is
 * refused with 429. What they take while they are parsed and tokenized is the threads' (`memory/router-memory.ts`).
 */
export const BODIES_BYTES_MAX = 256 * 1024 * 1024;
/** Of them, the part that bodies above `LARGE_BODY_BYTES` may have; small ones get in when large ones do not. */
export const LARGE_BODIES_PART = 7 / 8;
export const LARGE_BODY_BYTES = 64 * 1024;
/** A body that sends nothing for so long is answered with 408, and so is one that takes longer than `BODY_MS_MAX` in all: 32 MiB at 2.2 Mbit/s. */
export const BODY_STALL_MS_MAX = 15_000;
export const BODY_MS_MAX = 120_000;
/** A body's bytes lie in blocks of this. */
export const BODY_BLOCK_BYTES = 256 * 1024;
/** Larger bodies are parsed and read on a thread: so much takes some two milliseconds at worst. */
export const INLINE_BODY_BYTES_MAX = 16 * 1024;
/** Texts, bytes and messages that a gRPC message may hold, as many as values in JSON; one with more is refused before it is parsed. */
export const MESSAGE_VALUES_MAX = 200_000;
/** Bodies that wait for a thread; one more is refused as overloaded. Their bytes are of the budget above. */
export const BODY_QUEUE_MAX = 1024;
/** How long a thread may take to read one body before it is ended and replaced. */
export const BODY_READ_MS_MAX = 20_000;
/** A thread's heap: a million values, or as many numbers as 32 MiB can write, while a list of them grows. */
export const BODY_THREAD_HEAP_MB = 1024;
/** Token ids that are turned into text, or text of ids into JSON, before the event loop gets its turn: under a millisecond. */
export const REPLY_SLICE_TOKENS = 4096;
/** Tokens of a prompt whose log-probabilities, twenty each at most, or experts are written before the event loop gets its turn: some 2 ms. */
export const REPLY_SLICE_FACTS = 128;

/** What is read and thrown away of a body that is too large, so that its sender gets to read the answer; and for how long. */
export const DISCARD_BYTES_MAX = 512 * 1024 * 1024;
export const DISCARD_MS_MAX = 10_000;

/**
 * HTTP connections at once unless `--max-connections`; one more is closed as it comes, before anything of it is read: its client connects again, to
 * another router. Each takes some 20 KiB: 80 MiB in all.
 */
export const CONNECTIONS_MAX_DEFAULT = 4096;
/** Connections that are turned away are told of in the log this often at most. */
export const CONNECTIONS_FULL_SAID_MS = 10_000;
/** A connection that has not said a request's headers in this time, or nothing at all, is answered with 408 and closed; looked for this often. */
export const HEADERS_MS_MAX = 15_000;
export const HEADERS_CHECK_MS = 2_000;
/** Bytes of a request's line and headers; more are answered with 431. */
export const HEADERS_BYTES_MAX = 16 * 1024;
/** A connection that has not agreed on TLS in this time is closed. */
export const HANDSHAKE_MS_MAX = 10_000;
/** The part of `--max-connections` that one address may have of gRPC's: whoever opens thousands leaves places to others. One more is closed as it comes. */
export const GRPC_ADDRESS_PART_MAX = 0.5;
/** A gRPC connection of fewer bytes by `HEADERS_MS_MAX` has not begun, and is closed. Source: RFC 9113, 3.4. */
export const HTTP2_PREFACE_BYTES = 24;
/** A gRPC connection without a call for so long is closed; its client connects again when it calls. */
export const GRPC_IDLE_MS_MAX = 300_000;
/** What a part of a message counts besides its bytes until the message is whole; a call that is over, or a connection of what is no HTTP, is cut off so long after its answer where its client is not done; and what a packed byte becomes at most. Source of the last: RFC 1951. */
export const MESSAGE_PIECE_BYTES = 256;
export const REFUSED_MS_MAX = 1_000;
export const DEFLATE_RATIO_MAX = 1032;
/** Calls at once of one gRPC connection; those beyond wait at the client. */
export const GRPC_STREAMS_MAX = 1024;

/** Of KServe's protocol: inputs and parameters of a request, elements of an input, and requests at once of one stream; the next one is read when one has ended. */
export const INFER_INPUTS_MAX = 64;
export const INFER_PARAMETERS_MAX = 256;
export const INFER_ELEMENTS_MAX = 1024;
export const INFER_STREAM_REQUESTS_MAX = 32;

/** Requests in flight unless `--max-requests`; more are refused with 429. */
export const REQUESTS_MAX_DEFAULT = 256;

/** A client that is refused at the door may come back after this. */
export const RETRY_AFTER_MS = 1000;

/** A serialized request of this size and more goes to the payload store. */
export const INLINE_PAYLOAD_BYTES_MAX = 32 * 1024;

/** A prompt of more tokens waits in the long lane. */
export const SHORT_LANE_TOKENS_MAX = 2048;

/** A request that is predicted to wait longer for a worker is refused with 429, unless `--max-queue-wait` says otherwise. */
export const QUEUE_WAIT_MS_MAX_DEFAULT = 120_000;
/** A request that comes while the cluster cannot serve waits so long, unless `--max-ready-wait` says otherwise, before it is answered with 503. */
export const READY_WAIT_MS_MAX_DEFAULT = 10_000;
/** A request that the queue refused, or did not answer for, is put there again after this, within that time. */
export const QUEUE_RETRY_MS = 500;
/** What a refusal at the door says at most about when to come back. */
export const RETRY_AFTER_MS_MAX = 600_000;

/** Tokens that are hashed before the event loop gets its turn: some 3 ms. */
export const HASH_SLICE_TOKENS = 32_768;

/** Names of requests that a router remembers for `/debug/placement`; the oldest are forgotten. Sum: 8 MiB with names of 128 characters. */
export const REQUEST_NAMES_MAX = 8192;

/** For how long a browser may go by a preflight's answer, seconds: what Chromium takes at most. */
export const PREFLIGHT_AGE_S = 7200;

/** Bound on asking the scheduler about one request. */
export const EXPLAIN_LIMIT: TimeLimit = { ms: 2000, message: "the scheduler did not answer within 2 s" };

/** Requests in one cancel that is tried again; the others follow in the next. */
export const CANCEL_BATCH_MAX = 1024;

/** Jobs in one add to the queue. */
export const ADD_BATCH_MAX = 64;

/** A request that is older than the sum of these, the second for each token of its prompt, ends with `deadline_exceeded`: 15 h for a million. */
export const REQUEST_DEADLINE_MS = 600_000;
export const PROMPT_TOKEN_DEADLINE_MS = 50;

/** A response is kept for so long for requests that go on with it, unless `--keep-responses` says otherwise. */
export const KEEP_RESPONSES_MS_DEFAULT = 3_600_000;
/** A response with its conversation that has more bytes is not kept; of all that a router has kept the oldest go when they have more. */
export const KEPT_RESPONSE_BYTES_MAX = 4 * 1024 * 1024;
export const KEPT_RESPONSES_BYTES_MAX = 32 * 1024 * 1024;
/** What a router has in memory of each, its key and its size, counts as bytes of it too: with responses of 500 bytes 9 MiB of those above. */
export const KEPT_RESPONSE_ENTRY_BYTES = 256;

/** The body of a response that is computed in the background may have so many bytes: it is kept, for the router that goes on with it. */
export const BACKGROUND_BODY_BYTES_MAX = 4 * 1024 * 1024;
/** An order to cancel one is looked for this often by who computes it, and its end is waited for so long by who was asked. */
export const BACKGROUND_LOOK_MS = 500;
export const BACKGROUND_CANCEL_MS_MAX = 5_000;

/** What an `Idempotency-Key` has answered is given again for so long; an answer of more bytes, or beyond what a router has kept, is not kept. */
export const KEYED_ANSWER_MS = 3_600_000;
export const KEYED_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
export const KEYED_ANSWERS_BYTES_MAX = 64 * 1024 * 1024;
/** Of such an answer a reader may leave so many bytes unread before it is cut off: one that joins late has all that is kept before it, and then what comes meanwhile. */
export const KEYED_UNREAD_BYTES_MAX = 2 * KEYED_ANSWER_BYTES_MAX;
/** Of what lies in the store until its time is over, what came within so long is counted as one: 360 counts at most. */
export const KEPT_ROOM_GRAIN_MS = 10_000;
/** While it computes any, a router says that it lives this often; another one goes on with what a router that was silent for so long was at. */
export const KEYED_BEAT_MS = 1_000;
export const KEYED_SILENCE_MS_MAX = 3_000;
/** Who asks another router meanwhile gets what the first one delivers, and the rest from there where that one goes; looked for this often. */
export const KEYED_LOOK_MS = 200;
/** A store that is away for so long ends that, with 503. */
export const KEYED_AWAY_MS_MAX = 10_000;
/** The same of a router of an older build, which says so in the record. */
export const KEYED_FOREIGN_SILENCE_MS_MAX = 15_000;
/** What was delivered of a keyed request is kept while it runs, up to so many bytes, and of all of a router's; beyond them no other router can go on with it. */
export const KEYED_JOURNAL_BYTES_MAX = 4 * 1024 * 1024;
export const KEYED_JOURNALS_BYTES_MAX = 64 * 1024 * 1024;
/** It is written in segments; the last one is written anew until it has so many bytes. Of a plain token some 15. */
export const KEYED_SEGMENT_BYTES = 4 * 1024;
/** Segments that are read at once. */
export const KEYED_SEGMENTS_AT_ONCE = 16;
/** Writes in a second of all of a router's keyed requests: the more there are, the more tokens each of them writes at once. */
export const KEYED_WRITES_PER_SECOND_MAX = 1_000;
/** A write that the store did not take is tried again after this, so often in all; its stream waits for it, and then goes on without being kept. */
export const KEYED_WRITE_PAUSE_MS = 500;
export const KEYED_WRITES_TRIED_MAX = 4;
export const KEYED_WRITE_LIMIT: TimeLimit = { ms: 1_000, message: "the store did not answer within 1 s" };
/** A keyed request that nobody reads goes on for so long, so that its client may come back for it. */
export const KEYED_ALONE_MS_MAX = 30_000;
/** Characters of an `Idempotency-Key`. */
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255;

/** A payload outlives its request by this much, so that a late delivery still finds it. */
export const PAYLOAD_GRACE_MS = 60_000;

/** Times that one request is added again after a lost worker. */
export const READDS_MAX = 5;
/** A queue that is away is waited for so long by a request that a worker has lost; then it ends with `unavailable`. */
export const QUEUE_AWAY_MS_MAX = 60_000;
/** Times that one request is handed back by workers that end: a rolling restart of so many workers, one after the other. */
export const HAND_BACKS_MAX = 1024;
/** Wait before the first re-add; doubles with each, so the sum is 31 times this. */
export const READD_BACKOFF_MS = 50;

/** What a reader may leave unread before its request is cancelled, and as much again that is on its way to it. */
export const OUTPUT_BUFFER_BYTES_MAX = 4 * 1024 * 1024;

/** Of all readers together, unless `--unread-memory`; when it is used up, a reader is cut off that leaves more unread than its share, which everybody has. */
export const UNREAD_BYTES_MAX = 128 * 1024 * 1024;
export const UNREAD_SHARE_BYTES = 64 * 1024;
/** A reply that is sent as one text and is longer counts as unread until its client has it; shorter ones count as part of their connection. */
export const REPLY_UNCOUNTED_BYTES = 16 * 1024;

/** Bytes of all tokenized requests that wait or run, unless `--prompt-memory`; one that goes beyond them is refused with 429. */
export const PROMPTS_BYTES_MAX = 128 * 1024 * 1024;
/** What a request takes besides its prompt: its state, its streams, and the signals of its end. */
export const REQUEST_BYTES = 16 * 1024;

/**
 * Bytes of all answers, unless `--answer-memory`: what an answer may take is reserved before it is queued, and what has no room is refused with 429. A
 * token of an answer that is gathered takes WHOLE_TOKEN_BYTES and its text, TOKEN_TEXT_BYTES where that is not known yet; of one that is streamed its id stays.
 */
export const ANSWERS_BYTES_MAX = 256 * 1024 * 1024;
export const WHOLE_TOKEN_BYTES = 32;
export const TOKEN_TEXT_BYTES = 16;
export const STREAM_TOKEN_BYTES = 16;
/** A token's log-probability, and each alternative that is told with it. */
export const TOKEN_LOGPROB_BYTES = 192;
export const TOP_LOGPROB_BYTES = 96;
/** Of a choice whose client does not say how long it may be, so many tokens are reserved; it has more as long as there is room, and then ends as one that is as long as it may be. */
export const ANSWER_TOKENS_UNASKED = 4096;
/** The same of one whose client asks for more: few answers are as long as they may be, and a whole context for each would leave room for some forty at once. */
export const ANSWER_TOKENS_ASKED = 16_384;
/** Of the budget, what is reserved at most for a prompt's answers where nobody says how long they may be: 128 choices with 20 alternatives a token would be four budgets. */
export const ANSWER_UNASKED_PART = 1 / 8;
/** By so much an answer's room grows. */
export const ANSWER_STEP_BYTES = 64 * 1024;

/** A streamed reply without text gets a sign of life this often, unless `--stream-wait` says otherwise; common clients wait 300 s. */
export const STREAM_WAIT_MS_DEFAULT = 30_000;

/** A reader whose connection takes nothing for so long is cut off, and counts as one who has left. */
export const READER_STALL_MS_MAX = 60_000;
export const READER_STALL_LIMIT: TimeLimit = {
  ms: READER_STALL_MS_MAX,
  message: "the client reads too slowly",
  code: "cancelled",
};

/** A worker whose token stream is down for longer has lost its requests. */
export const RECONNECT_GRACE_MS = 3000;
/** A worker that a new leader has not named yet keeps its requests for so long, as long as its stream lives. */
export const NEW_LEADER_GRACE_MS = 10_000;
/** Cancels remembered for each worker, so that one request is not cancelled once a token. */
export const REMEMBERED_CANCELS_MAX = 1024;

/** A state that is older no longer vouches for the cluster. */
export const CLUSTER_STATE_AGE_MS_MAX = 15_000;

/** How often deadlines and lost streams are looked for: while there are requests, and while there are none. */
export const SWEEP_INTERVAL_MS = 500;
export const IDLE_SWEEP_INTERVAL_MS = 1000;

/** Bound on calls to the queue and the payload store. */
export const QUEUE_CALL_LIMIT: TimeLimit = { ms: 5000, message: "the queue did not answer within 5 s" };

/** Tiles of all requests in flight, unless `--image-memory`; more are refused with 429. 2467 tokens of 17 tiles of 336 x 336 pixels are 5.5 MiB. */
export const IMAGE_BYTES_HELD_MAX = 1024 * 1024 * 1024;
/** Pictures of one prompt that are fetched and cut at once: where no other request has any, the largest files have room in the queues of the threads that decode them. */
export const IMAGES_AT_ONCE = 4;
/** Bound on one image's encoding, the wait behind others and every vision worker that was tried included. */
export const ENCODE_MS_MAX = 120_000;
/** Bound on asking a vision worker for an image's features: one that does not even answer is passed over. */
export const PROBE_LIMIT: TimeLimit = { ms: 5000, message: "the vision worker did not answer within 5 s" };
/** A part of an image's tiles in one message. */
export const TILE_FRAME_BYTES = 256 * 1024;

/** A request that nobody has begun this long after a worker was lost is added again: longer than a placement takes. */
export const UNBEGUN_GRACE_MS = 3_000;

/** A queue is asked this often which of the jobs that should wait it does not have. */
export const LOST_CHECK_MS = 2000;
/** A job is asked after this long after its add, and is lost when nobody has begun it so long after the queue was first without it. */
export const LOST_GRACE_MS = 3000;
/** Jobs that are asked after in one call; the others follow in the next. */
export const LOST_ASKED_MAX = 1024;

/** Once a router's requests are over, what was written last has so long to leave. */
export const FLUSH_MS_MAX = 1000;
/** How often connections are looked for that have nothing to say any more. */
export const FLUSH_INTERVAL_MS = 20;

/** gRPC connections of a draining router are not cut by gRPC's own timer: `close` does. The largest that a timer takes. */
export const DRAIN_MS_MAX = 2 ** 31 - 1;

/** Files and batches are kept for so long, unless `--keep-files` says otherwise. */
export const KEEP_FILES_MS_DEFAULT = 72 * 3_600_000;
/** Bytes of files that one router has kept; an upload beyond them is refused with 429. They lie beside the payloads of waiting requests, of which a store in the scheduler has 1 GiB. */
export const FILES_BYTES_MAX = 256 * 1024 * 1024;
/** Of them, those that one tenant may have. */
export const TENANT_FILES_BYTES_MAX = 64 * 1024 * 1024;
/** Files and batches of a tenant that are listed; the oldest go from the list and stay until their time is over. */
export const LISTED_MAX = 1000;
/** Entries of one page of a list. */
export const LIST_PAGE_MAX = 100;
export const LIST_PAGE_DEFAULT = 20;
/** A file lies in the store in parts of this. */
export const FILE_CHUNK_BYTES = 1024 * 1024;
/** Requests of a batch, and bytes of each; a file that has more fails when it is looked at. */
export const BATCH_LINES_MAX = 50_000;
export const BATCH_LINE_BYTES_MAX = 1024 * 1024;
/** Lines of a file that are told of as wrong. */
export const BATCH_ERRORS_MAX = 100;
/** Requests of batches that one router has running, unless `--batch-requests` says otherwise. */
export const BATCH_REQUESTS_DEFAULT = 8;
/** What is not answered within this time is told as expired. */
export const BATCH_WINDOW_MS = 24 * 3_600_000;
/** A request of a batch begins only where one that came now is predicted to wait no longer for a worker than this. */
export const BATCH_WAIT_MS_MAX = 20;
/** Looked at again after this where it may not begin now, or was refused for a reason that passes. */
export const BATCH_PAUSE_MS = 500;
/** Answers are put into the store, and a batch's router says that it lives, this often; another router takes a batch over that was silent for so long. */
export const BATCH_BEAT_MS = 2000;
export const BATCH_SILENCE_MS_MAX = 15_000;
/** How often a router looks for batches that nobody works on. */
export const BATCH_LOOK_MS = 5000;
