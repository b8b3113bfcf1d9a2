/** Segments on their way to holders at which a sequence waits: they are its own until they have arrived. */
export const SEGMENTS_UNDER_WAY_MAX = 2;

/** Segments that are on their way from holders that drain to others at once, of all sequences; more wait. One of a real model's has some 400 MB in bf16. */
export const SEGMENTS_MOVING_MAX = 2;

/** A holder from which a segment did not get away is left alone for twice as many turns each time, and for so many at most; a turn is a step of a sequence. */
export const MOVE_PAUSE_TURNS_MAX = 256;
