import type { VisionConfig } from "@drover/checkpoint";

/** What the thread is started with. */
export type VisionSettings = Readonly<{
  directory: string;
  config: VisionConfig;
  /** Threads of one computation. */
  threads: number;
}>;

/** One image, whose pixels' buffer is handed over: grey levels, [tileCount, imageSize, imageSize, 3] row-major. */
export type VisionRequest = Readonly<{ tileCount: number; pixels: Uint8Array<ArrayBuffer> }>;

/** What one image became, [tileCount * rowsPerTile, D], and how long that took. */
export type VisionFeatures = Readonly<{ rows_aD: Float32Array<ArrayBuffer>; seconds: number }>;
