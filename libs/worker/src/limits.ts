/** A worker that a scheduler has lost for longer is not ready: a leader that is replaced is back within this time. */
export const LEADERLESS_MS_MAX = 10_000;

/** An older leader is refused until the newer one has been gone for so long: longer than any process sleeps through the loss of its lease and is not ended. */
export const STALE_LEADER_MS = 30_000;

/** How often a worker that ends looks whether its roles have finished. */
export const DRAIN_POLL_MS = 50;

/** A context worker that ends waits so long for a segment that it only keeps to leave it; where none does, they end with it. */
export const KEPT_LEAVE_MS_MAX = 15_000;

/** Once nothing is left to do, what was written last has so long to leave. */
export const SHUT_DOWN_MS_MAX = 1000;

/** A new expert map's holders have so long to be connected while the last map still serves; less than placement's MOVED_EXPERT_KEPT_MS, for which these keep it. */
export const MAP_CONNECT_MS = 1000;
export const MAP_POLL_MS = 10;

/** How long, and how often, the holders of a map in use are waited for before the scheduler is told how it stands. */
export const MAP_USABLE_MS_MAX = 2000;
export const MAP_USABLE_POLL_MS = 20;

/** How often the status is reported, unless the scheduler says otherwise. */
export const HEARTBEAT_MS = 1000;

/** While it has requests it reports this often: who has them would wait for a frozen one. */
export const BUSY_HEARTBEAT_MS = 200;

/** Placement counts what it has handed out until the next status: a change is told this soon. */
export const STATUS_CHANGE_MS = 100;

/** Of the KV in use, a change by so large a part of all is told before the next heartbeat. */
export const KV_STEPS_TOLD = 64;

/** What enters and leaves the prefix cache while nothing else changes is told this often at most. */
export const CACHE_CHANGE_MS = 400;

/** Hashes of the prefix cache in one message to the scheduler, bytes. */
export const CACHE_FRAME_BYTES = 256 * 1024;

/** Prompts whose remaining time a status names one by one. */
export const REPORTED_PROMPTS_MAX = 64;

/** How often a worker tells how many rows each expert was asked for. */
export const EXPERT_ROWS_MS = 5000;

/** Experts that a status names as the hottest. */
export const HOT_EXPERTS_MAX = 8;

/** Bytes that may wait for a router that does not read; beyond them its stream is broken off, and it resumes from the log. */
export const UNREAD_BYTES_MAX = 64 * 2 ** 20;

/** While experts are being loaded, those that are there are told of this often: each time the map changes. */
export const LOADED_REPORT_MS = 100;

/** Attention workers that have ended their connections to experts may be back within this time. */
export const EXPERTS_UNUSED_MS = 3000;

// Of the role vision, and of who fetches from it.

/** Pixels that are being received, wait or are being encoded: some 90 of Maverick's largest images (17 tiles, 5.8 MB). More are overload. */
export const VISION_PIXEL_BYTES_MAX = 512 * 2 ** 20;

/** Tiles of one image. Llama 4's processor makes 17 at most; other checkpoints may say more. */
export const TILE_COUNT_MAX = 256;

/** Pixels or features in one frame. */
export const VISION_FRAME_BYTES_MAX = 256 * 1024;

/** From an image's first frame to its last. */
export const TILES_RECEIVE_MS_MAX = 60_000;

/** Fetches that are answered at once: what they send stays in memory even when the cache gives it up. */
export const FEATURE_FETCHES_MAX = 64;

/** Hashes in one probe. */
export const PROBE_HASHES_MAX = 1024;

/** A vision worker that is overloaded may have room after this. */
export const VISION_RETRY_AFTER_MS = 1_000;

/** A fetch of features, whole: 50 MB for Maverick's largest image. */
export const FEATURES_FETCH_LIMIT = { ms: 30_000, message: "the features did not come within 30 s" } as const;

/** Fetched features that are kept, so that a request's choices and attempts fetch once: some 5 of Maverick's largest images. */
export const FETCHED_FEATURE_BYTES_MAX = 256 * 2 ** 20;

/** Vision workers with an open connection; the one that was idle longest is closed for another. */
export const VISION_CONNECTIONS_MAX = 16;

/** Threads that hash a converted checkpoint's files while a card loads them: some 1.5 GB/s each, together more than a disk reads. */
export const HASH_THREADS_MAX = 8;
