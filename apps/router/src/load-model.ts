import { basename, resolve } from "node:path";
import { callStyleOf, JinjaChatTemplate, loadTemplateSource } from "@drover/chat";
import {
  checkModel,
  checkVocabulary,
  loadGenerationConfig,
  loadModelConfig,
  loadVisionConfig,
  visionWeights,
} from "@drover/checkpoint";
import { type Logger, servedModelId, systemClock } from "@drover/core";
import { ImageFetcher, ImageOpener, ImagePool, PromptPool, readImages } from "@drover/intake";
import type { ServedModel } from "@drover/router";
import { loadTokenizer } from "@drover/tokenizer";

export type ModelOptions = Readonly<{
  model: string;
  modelName: string | undefined;
  modelAlias: readonly string[];
  imageUrls: boolean;
  allowPrivateImageUrls: boolean;
  imageThreads: number;
  imageMemory: number;
}>;

/** Of the memory for tiles, as much for files that wait to be decoded, and for tiles that are remembered. */
const IMAGES_ASIDE_PART = 1 / 4;

/** A model as the router serves it, with the threads that work for it. */
export type LoadedModel = AsyncDisposable & Readonly<{ model: ServedModel }>;

/**
 * Reads what a router needs of a checkpoint; no weights. One with a vision encoder whose pictures cannot be read serves text, which is logged once.
 * Errors: `invalid_argument` naming the file at fault.
 */
export async function loadServedModel(options: ModelOptions, logger: Logger): Promise<LoadedModel> {
  const directory = options.model;
  await checkModel(directory, { weightsMayBeAbsent: true });
  const [tokenizer, config, generation, vision, { settings, because }] = await Promise.all([
    loadTokenizer(directory),
    loadModelConfig(directory),
    loadGenerationConfig(directory),
    loadVisionConfig(directory),
    visionWeights(directory).then((weights) => readImages(directory, weights)),
  ]);
  checkVocabulary(config, generation, tokenizer.vocabSize);
  if (vision !== undefined && because !== undefined) logger.warn("images.unread", { reason: because });
  const patchesPerTile = vision?.rowsPerTile;
  const template = await loadTemplateSource(directory);
  await using threads = new AsyncDisposableStack();
  const prompts = threads.use(await PromptPool.start({ tokenizer, template, patchesPerTile }));
  const asideBytes = options.imageMemory * IMAGES_ASIDE_PART;
  const pool =
    settings === undefined
      ? undefined
      : threads.use(new ImagePool(settings, { threads: options.imageThreads, queueBytesMax: asideBytes }));
  const model: ServedModel = {
    modelId: servedModelId(options.modelName, basename(resolve(directory))),
    aliases: options.modelAlias,
    template,
    callStyle: callStyleOf(new JinjaChatTemplate(template, { tokenizer, now: () => systemClock.now() })),
    tokenizer,
    prompts,
    images:
      pool === undefined || patchesPerTile === undefined || config.imageTokenId === undefined
        ? undefined
        : {
            intake: new ImageOpener({
              processor: pool,
              cacheBytesMax: asideBytes,
              fetcher: new ImageFetcher({
                allowHttp: options.imageUrls,
                allowPrivate: options.allowPrivateImageUrls,
              }),
            }),
            patchTokenId: config.imageTokenId,
            patchesPerTile,
          },
    config,
    generation,
    createdMs: systemClock.now(),
  };
  const kept = threads.move();
  return { model, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
