/** How an image was cut: rows x cols tiles; where there is more than one, a global tile follows them. */
export type ImageGrid = Readonly<{ rows: number; cols: number }>;

/** Tiles that enter the vision encoder: the grid's, row by row, and the global one last when there is more than one. */
export function tileCountOf({ rows, cols }: ImageGrid): number {
  return rows * cols === 1 ? 1 : rows * cols + 1;
}

/** An image after decoding, resizing and cutting. */
export type ImageTiles = Readonly<{
  grid: ImageGrid;
  /** Side of a tile in pixels. */
  tileSize: number;
  /** Grey levels, [tiles, tileSize, tileSize, 3] row-major. */
  pixels: Uint8Array;
  /** SHA-256, in hex, of the line `TILESxSIDE` and the pixels: the name of its features in every cache. */
  contentHash: string;
}>;

/** Turns a file's bytes into tiles. Errors: `invalid_argument` for what is no image, or one beyond the limits. */
export interface ImageProcessor {
  process(file: Uint8Array, signal: AbortSignal): Promise<ImageTiles>;
}

/** Rows of a prompt that an image's features take the place of. */
export type PatchRun = Readonly<{ start: number; count: number }>;

/** An image in a prompt, by reference: the features are where `holder` says. */
export type PromptImage = Readonly<{
  contentHash: string;
  /** Ascending; together as many rows as the image has features. */
  runs: readonly PatchRun[];
  /** Address of the vision worker that was given the tiles. */
  holder: string;
}>;

/** Where an attention worker gets features. Errors: `unavailable` when they are nowhere; the router then has them made again. */
export interface FeatureSource {
  /** [rows, D] f32. The array may be shared: it is read only. */
  features(image: PromptImage, signal: AbortSignal): Promise<Float32Array>;
}
