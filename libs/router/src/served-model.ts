import type { PromptEncoder, TemplateSource } from "@drover/chat";
import type { GenerationConfig, ModelConfig } from "@drover/checkpoint";
import type { ImageGrid, ImageTiles, ModelId } from "@drover/core";
import type { ModelFacts } from "@drover/openai";
import type { Tokenizer } from "@drover/tokenizer";

/** Fetches an image by its URL, or takes a file's bytes, and cuts it into tiles. Errors: `invalid_argument` for what is no image that it takes, `unavailable`, `overloaded`. */
interface ImageIntake {
  open(image: string | Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<ImageTiles>;
}

/** Encodes also what another thread has packed. Errors: those of `PromptEncoder`. */
interface PackedPromptEncoder extends PromptEncoder {
  encodePacked(bytes: Uint8Array<ArrayBuffer>, images: readonly ImageGrid[], signal: AbortSignal): Promise<Uint32Array>;
}

/** How a model that reads images does it. */
export type ServedImages = Readonly<{
  intake: ImageIntake;
  /** The token in whose rows features stand. */
  patchTokenId: number;
  patchesPerTile: number;
}>;

/** All that the router knows of its model: how text and images become tokens, its limits and its defaults. */
export type ServedModel = Readonly<{
  modelId: ModelId;
  /** Other names that requests may give it. */
  aliases: readonly string[];
  /** Its chat templates, and the tokens that they know by name. */
  template: TemplateSource;
  /** How the template repeats calls of tools. */
  callStyle: ModelFacts["callStyle"];
  /** For single tokens and answers; prompts go through `prompts`. */
  tokenizer: Tokenizer;
  prompts: PackedPromptEncoder;
  /** Undefined for a model of text alone. */
  images: ServedImages | undefined;
  config: Pick<ModelConfig, "vocabSize" | "maxPositionEmbeddings">;
  generation: GenerationConfig;
  /** Unix milliseconds since when it is served. */
  createdMs: number;
}>;

/** What a request for the model is read by. */
export function modelFacts(model: ServedModel, contextTokensMax: number): ModelFacts {
  const { modelId, aliases, config, images, callStyle, generation } = model;
  return {
    modelId,
    aliases,
    vocabSize: config.vocabSize,
    contextTokensMax,
    readsImages: images !== undefined,
    callStyle,
    defaults: generation,
  };
}
