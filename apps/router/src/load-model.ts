import { basename, resolve } from "node:path";
import { loadChatTemplate } from "@drover/chat";
import { loadGenerationConfig, loadModelConfig } from "@drover/checkpoint";
import { modelId, systemClock } from "@drover/core";
import type { ServedModel } from "@drover/frontend";
import { loadTokenizer } from "@drover/tokenizer";

/** Reads what a router needs of a checkpoint; no weights. Errors: `invalid_argument` naming the file at fault. */
export async function loadServedModel(directory: string, name: string | undefined): Promise<ServedModel> {
  const [tokenizer, config, generation] = await Promise.all([
    loadTokenizer(directory),
    loadModelConfig(directory),
    loadGenerationConfig(directory),
  ]);
  const template = await loadChatTemplate(directory, tokenizer);
  return {
    modelId: modelId(name ?? basename(resolve(directory))),
    tokenizer,
    prompts: {
      encodeText: async (text) => Uint32Array.from(tokenizer.encode(text)),
      encodeChat: async (input) => Uint32Array.from(tokenizer.encodeSegments(template.render(input).segments)),
    },
    images: undefined,
    config,
    generation,
    createdMs: systemClock.now(),
  };
}
