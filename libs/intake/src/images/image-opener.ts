import { BoundedMap, type ImageProcessor, type ImageTiles } from "@drover/core";
import { TILES_CACHE_BYTES_MAX } from "../limits.ts";
import type { ImageFetcher } from "./image-fetcher.ts";

export type ImageOpenerOptions = Readonly<{
  fetcher: Pick<ImageFetcher, "fetch">;
  processor: ImageProcessor;
  /** Bytes of tiles that are remembered; 0 for none. */
  cacheBytesMax?: number;
}>;

/** From an image's URL to its tiles. Files whose bytes were seen before are not decoded again. */
export class ImageOpener {
  readonly #fetcher: Pick<ImageFetcher, "fetch">;
  readonly #processor: ImageProcessor;
  /** Tiles by the hash of the file that they were cut from. */
  readonly #cache: BoundedMap<string, ImageTiles>;

  constructor({ fetcher, processor, cacheBytesMax = TILES_CACHE_BYTES_MAX }: ImageOpenerOptions) {
    this.#fetcher = fetcher;
    this.#processor = processor;
    this.#cache = new BoundedMap({ bytesMax: cacheBytesMax }, ({ pixels }) => pixels.byteLength);
  }

  /**
   * Fetches, always, and cuts what is new; or cuts a file's bytes. The tiles may be shared: they are read only. Errors: those of
   * `ImageFetcher` and `ImagePool`.
   */
  async open(image: string | Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<ImageTiles> {
    const file = typeof image === "string" ? await this.#fetcher.fetch(image, signal) : image;
    // Off the event loop, which 20 MiB would hold up for long.
    const fileHash = Buffer.from(await crypto.subtle.digest("SHA-256", file)).toString("hex");
    signal.throwIfAborted();
    const known = this.#cache.use(fileHash);
    if (known !== undefined) return known;
    const tiles = await this.#processor.process(file, signal);
    this.#cache.set(fileHash, tiles);
    return tiles;
  }
}
