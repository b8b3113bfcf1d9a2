import { DroverError, tilesHasher } from "@drover/core";
import type { EncodeFrame } from "@drover/proto";
import { VISION_SERVICE_LIMITS } from "./vision-limits.ts";

const CHANNELS = 3;
const HASH_BYTES = 32;

/** An image's tiles while their frames come in. Errors of all: `invalid_argument`. */
export class VisionUpload {
  readonly contentHash: string;
  readonly tileCount: number;
  readonly byteCount: number;
  readonly #tileSize: number;
  #pixels: Uint8Array | undefined;
  #received = 0;
  #hasher: ReturnType<typeof tilesHasher>;

  /** Reads the sizes of the first frame, whose pixels are still to be added. Nothing is allocated yet. */
  constructor(first: EncodeFrame, tileSize: number) {
    const { tileCountMax } = VISION_SERVICE_LIMITS;
    if (first.contentHash.length !== HASH_BYTES) refuse("content_hash", `must have ${HASH_BYTES} bytes`);
    if (first.tileSize !== tileSize) refuse("tile_size", `is ${first.tileSize}; this model's tiles have ${tileSize}`);
    if (first.tileCount < 1 || first.tileCount > tileCountMax)
      refuse("tile_count", `is ${first.tileCount}; it must be 1 to ${tileCountMax}`);
    this.contentHash = Buffer.from(first.contentHash).toString("hex");
    this.tileCount = first.tileCount;
    this.#tileSize = tileSize;
    this.byteCount = first.tileCount * tileSize ** 2 * CHANNELS;
    this.#hasher = tilesHasher(this.tileCount, this.#tileSize);
  }

  /** The next frame's pixels. */
  add({ pixels }: EncodeFrame): void {
    const { frameBytesMax } = VISION_SERVICE_LIMITS;
    if (pixels.length > frameBytesMax) refuse("pixels", `has ${pixels.length} bytes; a frame has ${frameBytesMax}`);
    if (this.#received + pixels.length > this.byteCount)
      refuse("pixels", `has more bytes than ${this.tileCount} tiles of ${this.#tileSize} pixels a side`);
    this.#pixels ??= new Uint8Array(this.byteCount);
    this.#pixels.set(pixels, this.#received);
    this.#received += pixels.length;
    this.#hasher.update(pixels);
  }

  /** All tiles, u8 [tileCount, tileSize, tileSize, 3], once they are what their hash says; a buffer of their own. */
  finish(): Uint8Array {
    const pixels = this.#pixels;
    if (pixels === undefined || this.#received !== this.byteCount)
      return refuse("pixels", `ends after ${this.#received} of ${this.byteCount} bytes`);
    const found = this.#hasher.digest("hex");
    if (found !== this.contentHash) return refuse("content_hash", `is not that of the tiles, which is ${found}`);
    return pixels;
  }
}

function refuse(field: string, what: string): never {
  throw new DroverError("invalid_argument", what, { field });
}
