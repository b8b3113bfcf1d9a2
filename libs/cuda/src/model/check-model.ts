import type { ModelConfig } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import { EXPERTS_MAX } from "../limits.ts";

/** Numbers of a head, and of a row that a matrix is multiplied with, are read so many at a time. */
const UNIT = 8;
const HEAD_MAX = 1024;

/** Refuses a model whose sizes no kernel has: none of Llama 4's is. Errors: `invalid_argument` with config.json's names. */
export function checkModelForCard(config: ModelConfig): void {
  const { hiddenSize, expertWidth, denseWidth, headDim, headCount, expertCount } = config;
  const widths = {
    hidden_size: hiddenSize,
    intermediate_size: expertWidth,
    intermediate_size_mlp: denseWidth,
    head_dim: headDim,
    "num_attention_heads * head_dim": headCount * headDim,
  };
  for (const [name, size] of Object.entries(widths))
    if (size % UNIT !== 0) refuse(`${name} is ${size}; a card computes multiples of ${UNIT}`);
  if (headDim > HEAD_MAX) refuse(`head_dim is ${headDim}; a card computes ${HEAD_MAX} at most`);
  if (expertCount > EXPERTS_MAX)
    refuse(`num_local_experts is ${expertCount}; a card routes ${EXPERTS_MAX} a layer at most`);
}

function refuse(sentence: string): never {
  throw new DroverError("invalid_argument", `config.json: ${sentence}`);
}
