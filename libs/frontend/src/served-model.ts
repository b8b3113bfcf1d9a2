import type { ChatTemplate } from "@drover/chat";
import type { GenerationConfig, ModelConfig } from "@drover/checkpoint";
import type { ModelId } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";

/** All that the router knows of its model: how text becomes tokens, its limits and its defaults. */
export type ServedModel = Readonly<{
  modelId: ModelId;
  tokenizer: Tokenizer;
  template: ChatTemplate;
  config: Pick<ModelConfig, "vocabSize" | "maxPositionEmbeddings">;
  generation: GenerationConfig;
  /** Unix milliseconds since when it is served. */
  createdMs: number;
}>;
