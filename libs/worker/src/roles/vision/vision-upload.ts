import { DroverError, tilesHasher } from "@drover/core";
import type { TilesHead } from "@drover/wire";
import { TILE_COUNT_MAX, VISION_FRAME_BYTES_MAX } from "../../limits.ts";

const CHANNELS = 3;

/** An image's tiles while their frames come in. Errors of all: `invalid_argument`. */
export class VisionUpload {
  readonly contentHash: string;
  readonly tileCount: number;
  readonly byteCount: number;
  readonly #tileSize: number;
  #pixels: Uint8Array | undefined;
  #received = 0;
  #hasher: ReturnType<typeof tilesHasher>;

  /** Checks the sizes that an image begins with. Nothing is allocated yet. */
  constructor(head: TilesHead | undefined, tileSize: number) {
    if (head === undefined) throw wrong("content_hash", "is missing in the first frame");
    if (head.tileSize !== tileSize)
      throw wrong("tile_size", `is ${head.tileSize}; this model's tiles have ${tileSize}`);
    if (head.tileCount < 1 || head.tileCount > TILE_COUNT_MAX)
      throw wrong("tile_count", `is ${head.tileCount}; it must be 1 to ${TILE_COUNT_MAX}`);
    this.contentHash = head.contentHash;
    this.tileCount = head.tileCount;
    this.#tileSize = tileSize;
    this.byteCount = head.tileCount * tileSize ** 2 * CHANNELS;
    this.#hasher = tilesHasher(this.tileCount, this.#tileSize);
  }

  /** The next frame's pixels. */
  add(pixels: Uint8Array): void {
    if (pixels.length > VISION_FRAME_BYTES_MAX)
      throw wrong("pixels", `has ${pixels.length} bytes; a frame has ${VISION_FRAME_BYTES_MAX}`);
    if (this.#received + pixels.length > this.byteCount)
      throw wrong("pixels", `has more bytes than ${this.tileCount} tiles of ${this.#tileSize} pixels a side`);
    this.#pixels ??= new Uint8Array(this.byteCount);
    this.#pixels.set(pixels, this.#received);
    this.#received += pixels.length;
    this.#hasher.update(pixels);
  }

  /** All tiles, u8 [tileCount, tileSize, tileSize, 3], once they are what their hash says; a buffer of their own. */
  finish(): Uint8Array {
    const pixels = this.#pixels;
    if (pixels === undefined || this.#received !== this.byteCount)
      throw wrong("pixels", `ends after ${this.#received} of ${this.byteCount} bytes`);
    const found = this.#hasher.digest("hex");
    if (found !== this.contentHash) throw wrong("content_hash", `is not that of the tiles, which is ${found}`);
    return pixels;
  }
}

function wrong(field: string, what: string): DroverError {
  return new DroverError("invalid_argument", what, { field });
}
