/** What a call takes however few rows it has, in rows. */
export const FIXED_ROWS = 8;

/** Times of a peer's calls that its quantile is taken of, and how often it is taken anew. */
export const PACE_SAMPLES_MAX = 64;
export const PACE_SAMPLES_AT_ONCE = 8;

/** Rows go to another holder too once a call has taken so many times as long as all but this part of those before it. */
export const HEDGE_QUANTILE = 0.95;
export const HEDGE_FACTOR = 2;

/** And never sooner: a timer and a garbage collection are no reason to compute twice. */
export const HEDGE_MS_MIN = 3;

/** Rows that are asked for twice, as a part of all rows; and how many may be spared for a moment that needs more. Beyond, calls are waited for. */
export const HEDGE_SHARE = 0.1;
export const HEDGE_ROWS_MAX = 4096;

/** A peer that takes more than so many times as long as the others do is slow: it gets fewer rows. */
export const SLOW_FACTOR = 3;

/** No peer counts as slower than so many times. */
export const SLOW_FACTOR_MAX = 50;

/** What is known of a slow peer counts half as much after so long without a call: it is tried again. */
export const SLOW_HALF_LIFE_MS = 5000;

/** A peer is silent once a call has taken so many times as long as all but a part of those before it (HEDGE_QUANTILE), and at least this long: a busy machine holds anybody up for a moment. */
export const SILENT_FACTOR = 10;
export const SILENT_MS_MIN = 700;

/** The wait for a silent peer has so many parts, with a turn of the loop after each: who stood still itself reads the answers that came meanwhile before it judges. */
export const SILENT_WAIT_PARTS = 4;

/** A holder that the map names and that could not be reached for so long counts as silent too. */
export const UNREACHED_MS_MAX = 1500;

/** Where rows may be computed in this process or shared out among all holders, the way that was slower is tried again after so long without it. */
export const OTHER_WAY_RETRY_MS = 2000;
