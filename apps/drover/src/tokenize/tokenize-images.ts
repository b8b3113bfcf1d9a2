import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadVisionConfig } from "@drover/checkpoint";
import { DroverError, type ImageGrid } from "@drover/core";
import { ImageFetcher, ImagePool, type ImageSettings, readImages } from "@drover/intake";
import { pictureUrl } from "../chat/picture.ts";

/** Without config.json: what Llama 4's processor takes, where processor_config.json does not say. */
const PATCH_SIZE = 14;
const PIXEL_SHUFFLE_RATIO = 0.5;

/** Cuts a model's images, as far as their tokens need it. */
export class TokenizeImages implements AsyncDisposable {
  /** Feature rows of one tile; undefined for a model of text alone. */
  readonly patchesPerTile: number | undefined;
  readonly #pool: ImagePool | undefined;
  /** Why there is no pool. */
  readonly #because: string | undefined;
  readonly #fetcher = new ImageFetcher({ allowHttp: false, allowPrivate: false });

  private constructor(settings: ImageSettings | undefined, patchesPerTile: number | undefined, because?: string) {
    this.#because = because;
    this.#pool = settings === undefined ? undefined : new ImagePool(settings, { threads: 1 });
    this.patchesPerTile = patchesPerTile;
  }

  /** Reads how a checkpoint's images are cut; config.json may be absent. Errors: `invalid_argument` naming file and field. */
  static async open(directory: string): Promise<TokenizeImages> {
    const { settings, because } = await readImages(directory, "unknown");
    if (settings === undefined) return new TokenizeImages(undefined, undefined, because);
    const hasConfig = await access(join(directory, "config.json")).then(
      () => true,
      () => false,
    );
    const patchesPerTile = hasConfig
      ? (await loadVisionConfig(directory))?.rowsPerTile
      : await patchesByProcessor(directory, settings.tileSize);
    return new TokenizeImages(settings, patchesPerTile);
  }

  /** How an image is cut: a file relative to the working directory, or a data URL. Errors: `invalid_argument` for what is no image. */
  async grid(url: string, signal: AbortSignal): Promise<ImageGrid> {
    if (this.#pool === undefined)
      throw new DroverError(
        "invalid_argument",
        `images need a preprocessor_config.json or processor_config.json with an image_processor: ${this.#because}`,
      );
    if (/^https?:/i.test(url))
      throw new DroverError("invalid_argument", "an image's URL must be a file or a data URL here");
    const place = /^file:/i.test(url) ? fileURLToPath(url) : url;
    const file = await this.#fetcher.fetch(await pictureUrl(place), signal);
    return (await this.#pool.process(file, signal)).grid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
  }
}

/** Source: transformers, processing_llama4.py. */
async function patchesByProcessor(directory: string, tileSize: number): Promise<number> {
  const field = "processor_config.json";
  const text = await readFile(join(directory, field), "utf8").catch(() => "{}");
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new DroverError("invalid_argument", `${field} is not valid JSON`, { field, cause });
  }
  const { patch_size: patchSize = PATCH_SIZE, pixel_shuffle_ratio: ratio = PIXEL_SHUFFLE_RATIO } = Object(config);
  const patches = Math.floor(tileSize / Number(patchSize)) ** 2 * Number(ratio) ** 2;
  if (!Number.isInteger(patches) || patches < 1)
    throw new DroverError("invalid_argument", `${field}: patch_size and pixel_shuffle_ratio do not divide a tile`, {
      field,
    });
  return patches;
}
