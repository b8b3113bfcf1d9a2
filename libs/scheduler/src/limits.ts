import type { TimeLimit } from "@drover/core";
import { MEMBER_COUNT_MAX, REJOIN_WAIT_MS } from "@drover/fleet";

/** Leases that one lane holds at once, waiting for room or being placed: how far a job may be overtaken by those behind it. */
export const LEASES_HELD_MAX = 16;

/** Leases of jobs that were added to the front, whose clients have waited in the middle of an answer since their worker was lost, that a lane holds beyond those. */
export const FRONT_LEASES_HELD_MAX = 16;

/** A lease that found no room for so long goes back to the queue. */
export const HOLD_MS_MAX = 2000;

/** A lane's first job that was passed over for so long is not overtaken any more: the room that comes free is its own. */
export const OVERTAKE_MS_MAX = 5000;

/** A worker whose cache the index does not know exactly is asked for all of it, this often at most. */
export const RESYNC_INTERVAL_MS = 250;

/** Hashes of one worker's snapshot: two million blocks. What is larger is not indexed. */
export const SNAPSHOT_BYTES_MAX = 32 * 2 ** 20;

/** Requests whose decisions are remembered, and decisions of each: some 4 KiB a request. */
export const REQUESTS_REMEMBERED_MAX = 4096;
export const DECISIONS_OF_REQUEST_MAX = 8;

/** A worker has so long to answer a placement. */
export const PLACE_LIMIT: TimeLimit = { ms: 10_000, message: "the worker did not answer within 10 s" };

/** A worker that said that it cannot take a request now, for lack of room or because it ends, is asked again after this. */
export const REFUSED_PAUSE_MS = 100;

/** A worker of which no answer came is asked again after this. */
export const UNREACHABLE_PAUSE_MS = 1000;

/** Held leases are looked at again at least this often, and an idle lane asks its queue at least this often. */
export const HELD_POLL_MS = 100;
export const IDLE_POLL_MS = 1000;

/** After a fault of the queue. */
export const QUEUE_RETRY_MS = 500;

/** Completing and releasing a lease, whose own signals may be gone by then, and what else a leader asks its queue. */
export const QUEUE_CALL_LIMIT: TimeLimit = { ms: 5000, message: "the queue did not answer within 5 s" };

/** What is due by time is looked at when it is due, and this often at least. */
export const TICK_MS_MAX = 1000;

/** Routers are told of a change this long after the last state: 20 states a second at most. */
export const STATE_CHANGE_MS = 50;

/** Workers of which is remembered whether an operator wants them to drain; beyond it the oldest wish is forgotten. */
export const DRAIN_WISHES_MAX = MEMBER_COUNT_MAX;

/** Routers get the state at least this often, and queue depths are read this often. */
export const STATE_INTERVAL_MS = 1000;

/** A new leader says nothing about the fleet until workers had the time to come back: who is missing in a state counts as gone. */
export const SETTLE_MS = REJOIN_WAIT_MS;

/** A router that does not watch for so long is gone, and its jobs are dropped. */
export const ROUTER_GONE_MS = 30_000;

/** Watch streams at once. */
export const ROUTER_COUNT_MAX = 256;

/** Routers that are remembered: those that watch and as many that did so or had jobs within ROUTER_GONE_MS. */
export const KNOWN_ROUTER_MAX = 2 * ROUTER_COUNT_MAX;

/** A standby looks this long for the leader's address before it answers without. */
export const LEADER_ADDRESS_LIMIT: TimeLimit = { ms: 500, message: "the queue did not say who leads within 0.5 s" };

/** A standby that is asked to drain a worker asks the leader, who has so long to answer. */
export const DRAIN_LIMIT: TimeLimit = { ms: 5000, message: "the leader did not answer within 5 s" };

/** An attention worker with requests, or with a placement to answer, that has said nothing for so long is asked whether it lives; it speaks every 200 ms. */
export const PULSE_SILENT_MS = 350;

/** Others are asked this often, so that it is known how long an answer takes. */
export const PULSE_REFRESH_MS = 20_000;

/** It has so many times as long to answer as the slowest of its last answers took, within these bounds; one that has not answered yet has the longest. */
export const PULSE_ANSWER_FACTOR = 8;
export const PULSE_ANSWER_MS_MIN = 250;
export const PULSE_ANSWER_MS_MAX = 2000;

/** Answers by which that is measured. */
export const PULSE_ANSWERS_KEPT = 16;

/** The wait for it has so many parts, with a turn of the loop after each. */
export const PULSE_WAIT_PARTS = 5;
