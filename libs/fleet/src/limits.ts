// Who is in the fleet.

/** Workers report at least this often. */
export const HEARTBEAT_MS = 1000;

/** Three heartbeats missed: nothing new is placed there, but what it holds is still used. */
export const SUSPECT_AFTER_MS = 3 * HEARTBEAT_MS;

/** A holder of experts that an attention worker finds silent, and that has missed its heartbeat by so much, is suspected at once. */
export const ACCUSED_SILENT_MS = 1.25 * HEARTBEAT_MS;

/** One that speaks with the scheduler is suspected when most of those who compute have found it silent for so long. */
export const ACCUSATION_MS_MAX = 2000;

/** When that happens again to a worker, it must be heard for so long before it is trusted; each time twice as long, up to the second. */
export const ACCUSED_HOLD_MS = 1000;
export const ACCUSED_HOLD_MS_MAX = 30_000;

/** And is forgotten after this. */
export const ACCUSATIONS_REMEMBERED_MS = 300_000;

/** Ten heartbeats missed: the worker is gone, though its stream still stands (a dead host sends no reset). */
export const GONE_AFTER_MS = 10 * HEARTBEAT_MS;

/** Workers of one model. Joins beyond it are refused. */
export const MEMBER_COUNT_MAX = 1024;

// Requests, experts and prefixes.

/** Output that is counted at placing: KV for more is found, or preempted for, by the worker as the request grows. */
export const EXPECTED_OUTPUT_TOKENS = 256;

/** Requests that wait inside one worker beyond what it runs: enough to fill every step, while the rest waits in the queue. */
export const WORKER_WAITING_MAX = 64;

/** Requests that one worker may hold, running, waiting and placed since its last status. */
export const WORKER_REQUEST_MAX = 512;

/** Hashes of a prompt that placement gets to see for each doubling of its length. */
export const SAMPLES_PER_DOUBLING = 128;

/** No worker is given more than it is predicted to begin within this; the job waits in the queue, where it can still go to another one. */
export const BEGIN_WITHIN_MS = 10_000;

/** Predictions this close, or within SAME_TIME_SHARE of the best, count as the same: then the load decides. */
export const SAME_TIME_MS = 1;
export const SAME_TIME_SHARE = 0.05;

/** Cached tokens by which one of several predictions that count as the same goes first: it leaves more time to others. */
export const SAME_CACHED_TOKENS = 256;

/** Blocks that a prompt must bring to be remembered until they are computed: to compute fewer again costs less than to look for them. */
export const COMING_BLOCKS_MIN = 4;

/** Prompts with one first block that are remembered; the first of them are those whom others wait for. */
export const COMING_PROMPTS_MAX = 64;

/** How long a prompt is remembered after it was to be computed; the worker's events come within a second. */
export const COMING_GRACE_MS = 2000;

/** A guess where a worker has measured nothing: only the order of the candidates comes from it. */
export const UNMEASURED_COSTS = { promptRowMs: 1, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 1, stepMsMax: 250 };

/** Candidates that a decision names, best first. */
export const RANKING_MAX = 8;

/** A request that was passed over for too long keeps other lanes from its worker for so long at first. */
export const CLAIM_MS = 20_000;

/** Weight of the newest interval in a lane's pace: about the last ten placements count. */
export const LANE_WAIT_SMOOTHING = 0.1;

/** A status that arrives sooner than this after an acceptance may have been written before it, and does not show it. */
export const RESERVATION_SLACK_MS = 100;

/** A lost worker keeps its experts this long, so that a restart finds them its own. */
export const EXPERT_GRACE_MS = 15_000;

/**
 * A holder that has not answered for so long is stood in for, where each expert is to have more than one: whoever is started again at once is back sooner, and until then
 * its experts have one holder less, so that the next loss would leave some of them with none.
 */
export const STAND_IN_MS = 2500;

/** Of what workers have counted of their experts' rows, half is forgotten in this time. */
export const HEAT_HALF_LIFE_MS = 10 * 60_000;

/** The part of an expert's heat that is the same for all: an expert that nobody asks for is still asked for sometimes. */
export const HEAT_REST = 0.1;

/** Copies of experts follow the heat this often. */
export const REPLICA_PLAN_MS = 60_000;

/** Weights that are copied for the heat's sake in one plan, so in a minute: 16 GiB, some 65 of Maverick's experts in bf16. What nobody answers for is copied at once, whatever it takes. */
export const REPLICA_BYTES_PER_PLAN = 16 * 2 ** 30;

/** A weight takes this many bytes where it is not quantized, bf16 or f16. */
export const WEIGHT_BYTES = 2;

/** A layer's heat counts from so many rows an expert on: fewer are chance. */
export const HEAT_ROWS_PER_EXPERT = 8;

/** A copy moves to an expert whose holders each have so many times as many rows as those of the one that it leaves. */
export const HEAT_GAIN_MIN = 1.25;

/** What a row that another worker could take as well weighs beside one that nobody else can take. */
export const SHARED_STIFFNESS = 0.3;

/** The first plan waits this long at most for the expected number of expert workers. */
export const FIRST_PLAN_WAIT_MS = 10_000;

/** Workers that come with experts in memory (the scheduler is new, they are not) are waited for this long, so that a new leader moves nothing. */
export const REJOIN_WAIT_MS = 3000;

/** A worker that has not said what it has loaded is taken to have nothing after this long. */
export const LOADED_REPORT_WAIT_MS = 1000;

/** An expert that the map no longer names stays loaded this long, for steps that still follow the old map. */
export const MOVED_EXPERT_KEPT_MS = 2000;

/**
 * Map epochs of one leader: epoch = leader epoch * this + count. 2^18 changes of one leader, and 2^35 leaders below 2^53, so
 * that an epoch is exact in a double too.
 */
export const MAP_EPOCHS_PER_LEADER = 2 ** 18;

/** Events of a worker's cache that wait for one before them; beyond, the worker is asked for all it has. */
export const PREFIX_EVENTS_HELD_MAX = 64;

/** Caches that were replaced or lost and still lie in the prefix index; beyond, they are swept out together, a look at every entry. */
export const PREFIX_RETIRED_MAX = 64;
