export const VISION_LIMITS = {
  /**
   * Tiles that are encoded in one run. Their activations are in memory at once: for Maverick 577 rows of 5,632 f32, 13 MB a tile in an MLP, and 21 MB of
   * attention scores. More tiles in a run gain nothing, since one has hundreds of rows already.
   */
  tilesPerRunMax: 4,
  /** Images that wait for the encoder; more are refused as overloaded. */
  queueMax: 256,
  /** Bytes of pixels that wait: at most 17 tiles of 338,688 bytes are one of Maverick's images, so that some 90 of the largest fit. */
  queueBytesMax: 512 * 2 ** 20,
} as const;
