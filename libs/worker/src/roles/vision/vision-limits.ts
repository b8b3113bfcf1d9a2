/** What the vision role and those who fetch from it bound, and by how much. */
export const VISION_SERVICE_LIMITS = {
  /** Pixels that are being received, wait or are being encoded: some 90 of Maverick's largest images (17 tiles, 5.8 MB). More are overload. */
  pixelBytesMax: 512 * 2 ** 20,
  /** Tiles of one image. Llama 4's processor makes 17 at most; other checkpoints may say more. */
  tileCountMax: 256,
  /** Pixels or features in one frame. */
  frameBytesMax: 256 * 1024,
  /** From an image's first frame to its last. */
  receiveMsMax: 60_000,
  /** Fetches that are answered at once: what they send stays in memory even when the cache gives it up. */
  fetchesMax: 64,
  /** Hashes in one probe. */
  probeHashesMax: 1024,
  /** A vision worker that is overloaded may have room after this. */
  retryAfterMs: 1_000,
  /** A fetch of features, whole: 50 MB for Maverick's largest image. */
  fetch: { ms: 30_000, message: "the features did not come within 30 s" },
  /** Fetched features that are kept, so that a request's choices and attempts fetch once: some 5 of Maverick's largest images. */
  fetchedBytesMax: 256 * 2 ** 20,
  /** Vision workers with an open connection; the one that was idle longest is closed for another. */
  connectionsMax: 16,
} as const;
