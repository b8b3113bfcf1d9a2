/** Different reasons that are remembered; what fails in more ways than these is said again. */
export const REASONS_MAX = 16;
