import type { ImageTiles } from "@drover/core";

/** Tiles by the hash of the file that they were cut from. The least recently used go when the bytes of all pixels are too many. */
export class TilesCache {
  readonly #bytesMax: number;
  /** In order of use, the latest last. */
  readonly #tiles = new Map<string, ImageTiles>();
  #bytes = 0;

  /** @param bytesMax 0 remembers nothing */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of all pixels that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  get(fileHash: string): ImageTiles | undefined {
    const tiles = this.#tiles.get(fileHash);
    if (tiles === undefined) return undefined;
    this.#tiles.delete(fileHash);
    this.#tiles.set(fileHash, tiles);
    return tiles;
  }

  /** Remembers tiles that fit at all, in place of those used longest ago. */
  set(fileHash: string, tiles: ImageTiles): void {
    this.#delete(fileHash);
    if (tiles.pixels.byteLength > this.#bytesMax) return;
    for (const oldest of this.#tiles.keys()) {
      if (this.#bytes + tiles.pixels.byteLength <= this.#bytesMax) break;
      this.#delete(oldest);
    }
    this.#tiles.set(fileHash, tiles);
    this.#bytes += tiles.pixels.byteLength;
  }

  #delete(fileHash: string): void {
    this.#bytes -= this.#tiles.get(fileHash)?.pixels.byteLength ?? 0;
    this.#tiles.delete(fileHash);
  }
}
