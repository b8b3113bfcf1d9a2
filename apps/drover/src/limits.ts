import type { TimeLimit } from "@drover/core";

/** Waits before a dead child is started again: 250 ms, doubling with each death in a row, to 10 s. */
export const RESTART_DELAY_MS_MIN = 250;
export const RESTART_DELAY_MS_MAX = 10_000;

/** A child that lived this long has recovered: its next death counts as the first. */
export const STABLE_AFTER_MS = 30_000;

/** One that was ready for so long has served well: what ended it came from outside, and a wait that grows would only prolong the pause. */
export const SERVED_AFTER_MS = 2_000;

/** A child that does not end by itself within this time is killed. */
export const STOP_GRACE_MS = 5_000;

/** How often to say what is still awaited while the cluster starts. */
export const WAITING_NOTICE_MS = 10_000;

/** The last lines of a child that are kept for the reason of its end, and the characters kept of each. */
export const LINES_KEPT = 20;
export const LINE_CHARACTERS_MAX = 2_000;

/** Redis answers its first PING within this time, or it is given up. */
export const REDIS_START_MS_MAX = 10_000;
export const REDIS_PING_INTERVAL_MS = 50;
export const REDIS_CONNECT_MS_MAX = 3_000;

/** How often to look whether the npm that started this process still lives. */
export const LAUNCHER_POLL_MS = 300;

/** More than one machine sensibly holds. */
export const WORKERS_MAX = 256;

/** How long `--prompt` keeps asking a cluster that says it is unavailable, and the wait in between. */
export const PROMPT_RETRY_MS_MAX = 60_000;
export const PROMPT_RETRY_INTERVAL_MS = 500;

/** How often `drover drain` asks how far the worker is, and how long one answer may take. */
export const DRAIN_POLL_MS = 500;
export const DRAIN_ANSWER_LIMIT: TimeLimit = { ms: 10_000, message: "the scheduler did not answer within 10 s" };

/** A conversation in `drover chat` keeps this many messages; older ones are forgotten, two at a time. */
export const CHAT_MESSAGES_MAX = 200;

/** Lines that come sooner after one another than this are one question at a terminal: they were pasted. */
export const PASTE_GAP_MS = 25;

/** A picture that `drover chat` sends; the router takes no larger body than 32 MiB, in base64. */
export const PICTURE_BYTES_MAX = 20 * 1024 * 1024;

/** One event of a streamed answer is a few words; a longer line is a broken server. */
export const SSE_LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

/** A guard that keeps dying is not started again for ever. */
export const GUARD_RESTARTS_MAX = 5;

/** A router answers `drover top` within this time, or is said not to. */
export const TOP_ANSWER_LIMIT: TimeLimit = { ms: 5_000, message: "the router did not answer within 5 s" };

/** A worker that said nothing for longer is shown as silent. */
export const TOP_SILENT_MS = 2_500;

/** Experts that `drover top` names. */
export const HOT_EXPERTS_MAX = 8;

/** How often a conversion says how far it is where there is no terminal. */
export const CONVERT_NOTICE_MS = 10_000;

/** A line of `drover tokenize`: a conversation with a few pictures as data URLs. */
export const TOKENIZE_LINE_BYTES_MAX = 128 * 1024 * 1024;

/** What a worker on a CPU does where nothing is said: KV in f32, and so many prompt tokens a step. */
export const KV_DTYPE_DEFAULT = "f32";
export const PREFILL_CHUNK_DEFAULT = 512;

/** A machine that does not connect to itself within this time is not waited for: whether it can is then not known. */
export const REACH_MS_MAX = 2_000;

/** Weights that share one scale where nothing is said. */
export const QUANTIZE_BLOCK_DEFAULT = "128";

/** A line of a trace that `drover bench` replays: the names of a prompt's blocks. */
export const TRACE_LINE_BYTES_MAX = 4 * 1024 * 1024;

/** Requests of a rate that `drover bench` leaves unanswered at once; further ones begin late. */
export const IN_FLIGHT_MAX = 10_000;

/** What is kept of an error's body. */
export const ERROR_BODY_BYTES_MAX = 64 * 1024;

/** Reasons of failed requests that `drover bench` names, the most frequent first. */
export const FAILURE_REASONS_MAX = 5;

/** What the API server may take to answer `drover secret --kubernetes`; its Job is tried again. */
export const KUBERNETES_LIMIT: TimeLimit = { ms: 20_000, message: "the API server did not answer within 20 s" };

/** How long a command waits for the reader of what it has written before it ends, milliseconds. */
export const UNREAD_MS_MAX = 10_000;
