/** No step is predicted to take longer, so that a cancel is seen in time; one row of one sequence always goes. */
export const STEP_MS_MAX = 250;

/** A step in which nobody decodes: half of the bound, so that a wrong prediction stays within it. */
export const STEP_MS_ALONE = 125;

/**
 * The same where a step waits for weights before it waits for products, so that further rows are cheaper than the first: as long as the bound lets it be, less a
 * fifth for a wrong prediction.
 */
export const STEP_MS_EFFICIENT = 200;

/** Prompts may add as much to a step as its decoding takes, where that is more than the budget leaves. */
export const DECODE_STRETCH = 2;

/** A step beside which many prompts wait is as long as it will be when they decode, but no longer than so many budgets: streams go on meanwhile. */
export const WAITING_STRETCH = 3;

/** A deep prompt whose reads would take most of its budget saves it up for a step that is so many times as long. */
export const BURST_STRETCH = 1.5;

/** The part of a step's budget that prompts get however long decoding takes. */
export const PROMPT_SHARE_MIN = 0.25;

/** The part of the prompts' budget that goes to the request that was served longest ago of those that later ones pass. */
export const TURN_SHARE = 0.25;

/** A prompt that is neither on turn nor at its end gets no fewer rows: each entry has costs of its own. */
export const CRUMB_ROWS = 8;

/** Rows of one step before any was measured; then twice the most that were. */
export const UNTRIED_ROWS = 16;

/** Times that a choice is preempted where it costs least; then only older ones take from it. */
export const PREEMPTIONS_MAX = 2;

/** Points in the future at which admission sums KV. */
export const FORECAST_POINTS_MAX = 64;

/**
 * Milliseconds of steps, by its weight, that a tenant may have before others because it had less than they: some short prompts whole. A prompt that takes
 * longer gets its part of each step instead, so that nobody's stream stands for longer than this.
 */
export const TENANT_CREDIT_MS = 400;

/** Who is behind by no more than this shares with the others: of two that both always ask, none has turns of its own. */
export const TENANT_MARGIN_MS = 100;

/**
 * A tenant asks for little whose sequences are at most this part of what an even share of all that ask would be, by weight. Its prompts go first without its being behind, until it is so far
 * ahead of the others, in milliseconds of contended steps by its weight: a flood that comes does not make it wait, and one that always asks for little gets no more than its part.
 */
export const LITTLE_PART = 0.5;
export const TENANT_LEAD_MS = 300;

/** Tenants whose service is remembered, and for how long a time of steps. Of more, the one served longest ago is forgotten: it has all of its credit again. */
export const TENANTS_REMEMBERED_MAX = 1024;
export const TENANT_REMEMBERED_MS = 60_000;

/** A step while more than one tenant asks, for who comes waits for the end of one; longer where what a step takes with nothing in it would be more than this part. */
export const STEP_MS_SHARED = 36;
export const SHARED_EMPTY_PART = 0.25;

/** Steps in a row that a decoding sequence is passed over for the prompts of tenants that have had less. */
export const PASSED_STEPS_MAX = 3;
