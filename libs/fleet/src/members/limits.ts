/** Workers report at least this often. */
export const HEARTBEAT_MS = 1000;

/** Three heartbeats missed: nothing new is placed there, but what it holds is still used. */
export const SUSPECT_AFTER_MS = 3 * HEARTBEAT_MS;

/** Ten heartbeats missed: the worker is gone, though its stream still stands (a dead host sends no reset). */
export const GONE_AFTER_MS = 10 * HEARTBEAT_MS;

/** Workers of one model. Joins beyond it are refused. */
export const MEMBER_COUNT_MAX = 1024;
