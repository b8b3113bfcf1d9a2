import { loadChatTemplate } from "@drover/chat";
import { checkModel, loadVisionConfig, visionWeights } from "@drover/checkpoint";
import { type ImageReading, readImages } from "@drover/intake";
import { loadTokenizer } from "@drover/tokenizer";

/** What was found of a model's folder beyond that it can be served. */
export type ModelFiles = Readonly<{
  /** Has a vision encoder whose pictures can be read. */
  readsImages: boolean;
  /** Why not, of a model whose config.json has a vision encoder; undefined for a model of text alone. */
  noImagesBecause: string | undefined;
}>;

/**
 * Looks at every file that any process will read of a model: configs, headers, shapes and types of tensors, tokenizer, templates and image settings.
 * A model whose pictures cannot be read serves text. Errors: `invalid_argument` naming the file at fault.
 */
export async function checkModelFiles(directory: string): Promise<ModelFiles> {
  await checkModel(directory);
  await loadChatTemplate(directory, await loadTokenizer(directory));
  if ((await loadVisionConfig(directory)) === undefined) return { readsImages: false, noImagesBecause: undefined };
  const reading: ImageReading = await readImages(directory);
  if (reading.settings === undefined) return { readsImages: false, noImagesBecause: reading.because };
  if ((await visionWeights(directory)) === "absent")
    return { readsImages: false, noImagesBecause: "the checkpoint has no tensors of a vision encoder" };
  return { readsImages: true, noImagesBecause: undefined };
}
