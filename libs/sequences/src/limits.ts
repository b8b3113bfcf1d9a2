/** Segments on their way to holders at which a sequence waits: they are its own until they have arrived. */
export const SEGMENTS_UNDER_WAY_MAX = 2;
