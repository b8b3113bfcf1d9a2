import { DroverError, type EmbeddingRun, type FeatureSource, type PromptImage } from "@drover/core";

/** The features of a prompt's images, and which of a step's rows they stand in. */
export class ImageFeatures {
  static readonly none = new ImageFeatures([], [], 0);

  readonly #images: readonly PromptImage[];
  readonly #rows: readonly Float32Array[];
  readonly #width: number;

  private constructor(images: readonly PromptImage[], rows: readonly Float32Array[], width: number) {
    this.#images = images;
    this.#rows = rows;
    this.#width = width;
  }

  /** Fetches the features of all images, [rows, width] each. Errors: the source's; `internal` for a wrong number of rows. */
  static async fetch(
    images: readonly PromptImage[],
    width: number,
    source: FeatureSource,
    signal: AbortSignal,
  ): Promise<ImageFeatures> {
    const rows = await Promise.all(images.map((image) => source.features(image, signal)));
    for (const [i, image] of images.entries()) {
      const expected = image.runs.reduce((sum, { count }) => sum + count, 0);
      if (rows[i]?.length !== expected * width)
        throw new DroverError("internal", `an image's features are not ${expected} rows of ${width}`);
    }
    return new ImageFeatures(images, rows, width);
  }

  /** What stands in rows [first, first + rowCount) of the sequence. */
  within(first: number, rowCount: number): EmbeddingRun[] {
    const found: EmbeddingRun[] = [];
    for (const [i, { runs }] of this.#images.entries()) {
      let done = 0;
      for (const { start, count } of runs) {
        const from = Math.max(start, first);
        const to = Math.min(start + count, first + rowCount);
        if (from < to) {
          const at = done + from - start;
          const rows_aD = this.#rows[i]?.subarray(at * this.#width, (at + to - from) * this.#width);
          if (rows_aD !== undefined) found.push({ row: from - first, rows_aD });
        }
        done += count;
      }
    }
    return found;
  }
}
