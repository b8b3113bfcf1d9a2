import type { VisionShape } from "./model-shape.ts";

/** The sizes that the vision encoder's graphs are authored from. */
export type VisionDims = Omit<VisionShape, "layerCount" | "hasProjectorBias">;

/** Rotary tables, [S, headDim / 2]. */
export type VisionRope = Readonly<{ cos: Float32Array; sin: Float32Array }>;
