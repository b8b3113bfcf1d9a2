import { loadChatTemplate } from "@drover/chat";
import {
  checkModel,
  checkVocabulary,
  loadGenerationConfig,
  loadModelConfig,
  loadVisionConfig,
  visionWeights,
} from "@drover/checkpoint";
import { readImages } from "@drover/intake";
import { loadTokenizer } from "@drover/tokenizer";

/** What was found of a model's folder beyond that it can be served. */
export type ModelFiles = Readonly<{
  /** Has a vision encoder whose pictures can be read. */
  readsImages: boolean;
  /** Why not, of a model whose config.json has a vision encoder; undefined for a model of text alone. */
  noImagesBecause: string | undefined;
}>;

/** Reads tokenizer and chat templates, and compares with the model's vocabulary. Errors: `invalid_argument` naming the file at fault. */
export async function checkTextFiles(directory: string): Promise<void> {
  const tokenizer = await loadTokenizer(directory);
  checkVocabulary(await loadModelConfig(directory), await loadGenerationConfig(directory), tokenizer.vocabSize);
  await loadChatTemplate(directory, tokenizer);
}

/**
 * Looks at every file that any process will read of a model: configs, headers, shapes and types of tensors, tokenizer, templates and image settings.
 * A model whose pictures cannot be read serves text. Errors: `invalid_argument` naming the file at fault.
 */
export async function checkModelFiles(directory: string): Promise<ModelFiles> {
  await checkModel(directory);
  await checkTextFiles(directory);
  if ((await loadVisionConfig(directory)) === undefined) return { readsImages: false, noImagesBecause: undefined };
  const { because } = await readImages(directory, await visionWeights(directory));
  return { readsImages: because === undefined, noImagesBecause: because };
}
