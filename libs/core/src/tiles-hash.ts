import { createHash, type Hash } from "node:crypto";

/**
 * The name of an image's tiles, and of the features made of them: SHA-256, in hex, of the ASCII line `TILESxSIDE\n` and the pixels.
 * @param pixels grey levels, [tiles, tileSize, tileSize, 3] row-major
 */
export function tilesHash(tileCount: number, tileSize: number, pixels: Uint8Array): string {
  return tilesHasher(tileCount, tileSize).update(pixels).digest("hex");
}

/** A hasher of pixels that come in parts: `update` with each, then `digest("hex")`. */
export function tilesHasher(tileCount: number, tileSize: number): Hash {
  return createHash("sha256").update(`${tileCount}x${tileSize}\n`, "ascii");
}
