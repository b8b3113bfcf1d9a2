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
  return {
    modelId: modelId(name ?? basename(resolve(directory))),
    tokenizer,
    template: await loadChatTemplate(directory, tokenizer),
    config,
    generation,
    createdMs: systemClock.now(),
  };
}
