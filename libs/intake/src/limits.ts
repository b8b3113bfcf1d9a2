// Pictures. A thread holds at most a file of 20 MiB, its 50 million pixels of 4 bytes, twice while the picture is turned, the decoder's own buffers and
// the tiles: 550 MB were measured for 7000 x 7000 RGBA that EXIF turns.

/** A file's bytes: OpenAI's own limit for an image. */
export const IMAGE_FILE_BYTES_MAX = 20 * 2 ** 20;

/** A picture's pixels: the 48 megapixels of today's phones fit. */
export const IMAGE_PIXELS_MAX = 50_000_000;

/** A picture's longer side: JPEG's and GIF's own limit. */
export const IMAGE_SIDE_MAX = 65_535;

/** A picture of more pixels is large: it takes seconds. Large ones are decoded one at a time, on a thread of their own, so that none holds the others up. */
export const LARGE_PICTURE_PIXELS = 8_000_000;

/** Large pictures that wait for their thread; one more is refused as overloaded. */
export const LARGE_PICTURE_QUEUE_MAX = 8;

/** Images that wait for a thread of the pool; one more is refused as overloaded. */
export const IMAGE_QUEUE_MAX = 64;

/** Bytes of the files that wait for a thread; one beyond them is refused as overloaded. */
export const IMAGE_QUEUE_BYTES_MAX = 256 * 2 ** 20;

/** How long the decoder may take, in seconds. */
export const DECODE_SECONDS_MAX = 10;

/** How long a loaded thread may take for one large image, decoding included, before it is ended and replaced; and for another one. */
export const LARGE_IMAGE_MS_MAX = 20_000;
export const IMAGE_MS_MAX = 10_000;

/** A setting's tiles: far above Llama 4's 16. */
export const TILES_MAX = 256;

/** A tile's side in pixels: far above Llama 4's 336. */
export const TILE_SIZE_MAX = 2_048;

/** A canvas's pixels, so that what is cut from a small file stays bounded: 16 tiles of 336 are 1.8 million. */
export const CANVAS_PIXELS_MAX = 64_000_000;

/** preprocessor_config.json's, processor_config.json's and config.json's bytes. */
export const SETTINGS_BYTES_MAX = 2 ** 20;

// Where a request names an image.

/** Characters of a data URL before its data: a media type and `;base64`. */
export const DATA_URL_HEADER_CHARACTERS_MAX = 64;

/** An http(s) URL's characters: what browsers and servers take. */
export const URL_CHARACTERS_MAX = 8_192;

/** From the look-up of the name to the last byte, all redirects included. */
export const FETCH_MS_MAX = 15_000;

/** Redirects that one image is followed over; each address is checked again. */
export const REDIRECTS_MAX = 3;

/** Images that are fetched at once; one more is refused as overloaded. */
export const FETCHES_MAX = 64;

/** Tiles that are remembered by their file's hash: 16 + 1 tiles of 336 are 5.8 MB. */
export const TILES_CACHE_BYTES_MAX = 256 * 2 ** 20;

/** When one whose image could not be fetched beside so many others may come again. */
export const FETCH_RETRY_AFTER_MS = 1_000;

// Prompts.

/** Prompts that wait for a thread; one more is refused as overloaded. Their texts are the requests', which the router bounds. */
export const PROMPT_QUEUE_MAX = 1024;

/** How long a loaded thread may take for one prompt before it is ended and replaced. */
export const ENCODE_MS_MAX = 30_000;

/**
 * A thread's heap: rendering holds a prompt some six times, and 32 MiB are the largest. The vocabulary is shared and not on it.
 */
export const PROMPT_THREAD_HEAP_MB = 1024;

/** Text of so few characters is encoded where it is: under two milliseconds for the worst, a run without a split. */
export const INLINE_CHARACTERS_MAX = 4096;
