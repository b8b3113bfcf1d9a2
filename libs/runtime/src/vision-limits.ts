/**
 * Tiles that are encoded in one run. Their activations are in memory at once: for Maverick 577 rows of 5,632 f32, 13 MB a tile in an MLP, and 21 MB of
 * attention scores. More tiles in a run gain nothing, since one has hundreds of rows already.
 */
export const TILES_PER_RUN_MAX = 4;
