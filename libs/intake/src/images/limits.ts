/**
 * What the image pool bounds. A thread holds at most a file of 20 MiB, its 50 million pixels of 4 bytes, twice while the picture is turned, the
 * decoder's own buffers and the tiles: 550 MB were measured for 7000 x 7000 RGBA that EXIF turns.
 */
export const IMAGE_LIMITS = {
  /** A file's bytes: OpenAI's own limit for an image. */
  fileBytesMax: 20 * 2 ** 20,
  /** A picture's pixels: the 48 megapixels of today's phones fit. */
  pixelsMax: 50_000_000,
  /** A picture's longer side: JPEG's and GIF's own limit. */
  sideMax: 65_535,
  /** Images that wait for a thread of the pool; one more is refused as overloaded. */
  queueMax: 64,
  /** Bytes of the files that wait for a thread; one beyond them is refused as overloaded. */
  queueBytesMax: 256 * 2 ** 20,
  /** How long the decoder may take, in seconds. */
  decodeSecondsMax: 10,
  /** How long a loaded thread may take for one image, decoding included, before it is ended and replaced. */
  processMsMax: 20_000,
  /** A setting's tiles, and their side: far above Llama 4's 16 of 336. */
  tilesMax: 256,
  tileSizeMax: 2_048,
  /** A canvas's pixels, so that what is cut from a small file stays bounded: 16 tiles of 336 are 1.8 million. */
  canvasPixelsMax: 64_000_000,
  /** preprocessor_config.json's and config.json's bytes. */
  settingsBytesMax: 2 ** 20,
} as const;

/** What is bounded where a request names an image. */
export const FETCH_LIMITS = {
  /** An http(s) URL's characters: what browsers and servers take. */
  urlCharactersMax: 8_192,
  /** From the look-up of the name to the last byte, all redirects included. */
  fetchMsMax: 15_000,
  redirectsMax: 3,
  /** Images that are fetched at once; one more is refused as overloaded. */
  fetchesMax: 64,
  /** Tiles that are remembered by their file's hash: 16 + 1 tiles of 336 are 5.8 MB. */
  cacheBytesMax: 256 * 2 ** 20,
} as const;
