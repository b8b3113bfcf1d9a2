import type { VisionShape } from "./model-shape.ts";
import type { RopeTables } from "./rope.ts";

/**
 * Rotary tables of a tile's rows, [gridSize^2 + 1, headDim / 2]: the first half of a head's pairs turns by the patch's column, the second by its row, both
 * counted from 1; the class's row, the last, does not turn. Angles in float64, rounded once. Source: Llama4VisionRotaryEmbedding.
 */
export function visionRopeTables(
  config: Pick<VisionShape, "gridSize"> & Readonly<{ headDim: number; ropeTheta: number }>,
): RopeTables {
  const { gridSize, headDim, ropeTheta } = config;
  const half = headDim / 2;
  const quarter = half / 2;
  const cos = new Float32Array((gridSize ** 2 + 1) * half).fill(1);
  const sin = new Float32Array(cos.length);
  for (let patch = 0; patch < gridSize ** 2; patch++) {
    const column = (patch % gridSize) + 1;
    const row = Math.floor(patch / gridSize) + 1;
    for (let j = 0; j < half; j++) {
      const angle = (j < quarter ? column : row) * ropeTheta ** ((-2 * (j % quarter)) / half);
      cos[patch * half + j] = Math.cos(angle);
      sin[patch * half + j] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
