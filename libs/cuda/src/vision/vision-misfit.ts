import type { VisionConfig } from "@drover/checkpoint";

/** What kernels read at once, up to where a head's keys and values fit into a block's memory, and a row into what a block keeps. */
const [UNIT, HEAD_MAX, WIDTH_MAX] = [8, 256, 32_768];

/** Why no kernels of a card fit an encoder; undefined: they do. */
export function visionMisfit(config: VisionConfig): string | undefined {
  const { headDim, hiddenSize, adapterWidth, outputWidth } = config;
  if (headDim > HEAD_MAX) return `heads have ${headDim} numbers, and at most ${HEAD_MAX} fit`;
  if (hiddenSize > WIDTH_MAX) return `rows have ${hiddenSize} numbers, and at most ${WIDTH_MAX} fit`;
  const sizes = Object.entries({ headDim, hiddenSize, adapterWidth, outputWidth });
  const odd = sizes.find(([, size]) => size % UNIT !== 0);
  return odd && `${odd[0]} is ${odd[1]}, which is no multiple of ${UNIT}`;
}
