/** No step is predicted to take longer, so that a cancel is seen in time; one row of one sequence always goes. */
export const STEP_MS_MAX = 250;

/** A step in which nobody decodes: half of the bound, so that a wrong prediction stays within it. */
export const STEP_MS_ALONE = 125;

/** Prompts may add as much to a step as its decoding takes, where that is more than the budget leaves. */
export const DECODE_STRETCH = 2;

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
