import { hash } from "node:crypto";
import { assert, type Clock, DroverError, type ImageTiles, type Logger } from "@drover/core";
import { withFirst } from "@drover/intake";
import type { ImageReference, PreparedPrompt, PromptQuery, TextReading } from "@drover/openai";
import { IMAGES_AT_ONCE } from "../limits.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { ServedModel } from "../served-model.ts";
import { allOrNone } from "./all-or-none.ts";
import type { Permit } from "./permit.ts";
import { placeImages } from "./placed-images.ts";
import { tokenText } from "./token-text.ts";

export type PromptPreparerOptions = Readonly<{
  model: ServedModel;
  clock: Clock;
  logger: Logger;
  metrics: Pick<RouterMetrics, "imageOpened">;
}>;

/** Whose prompt it is: a request that keeps its images until its permit ends, or nobody's, whose images are gone with the reply. */
type ImagesPermit = Pick<Permit, "holdImage" | "trace" | "account"> | undefined;

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Makes tokens and tiles of what clients send, on the threads of its model. */
export class PromptPreparer {
  readonly #options: PromptPreparerOptions;
  #warned = false;

  constructor(options: PromptPreparerOptions) {
    this.#options = options;
  }

  /**
   * Opens a prompt's images, then renders and tokenizes it. Errors: `invalid_argument` naming the field, those of opening an image and of the
   * threads, and the signal's reason.
   */
  async prepare(query: PromptQuery, echo: boolean, holder: ImagesPermit, signal: AbortSignal): Promise<PreparedPrompt> {
    const { model } = this.#options;
    switch (query.kind) {
      case "tokens":
        return {
          tokenIds: query.ids,
          images: [],
          echoText: echo ? await tokenText(model.tokenizer, query.ids) : undefined,
        };
      case "text": {
        const encoded = await model.prompts.encodeText(query.text, signal, query.isMarked);
        const tokenIds = this.#read(query, query.field, withFirst(encoded, query));
        return { tokenIds, images: [], echoText: echo ? query.text : undefined };
      }
      case "packed": {
        const opened = await this.#openImages(query.images, holder, signal);
        const grids = opened.map(({ grid }) => grid);
        const encoded = await model.prompts.encodePacked(query.bytes, grids, signal);
        const tokenIds = this.#read(query.reading, query.field, encoded);
        const images = model.images === undefined ? [] : placeImages(tokenIds, opened, model.images);
        return { tokenIds, images, echoText: query.echoed && UTF8.decode(query.echoed) };
      }
      case "chat": {
        const opened = await this.#openImages(query.images, holder, signal);
        const grids = opened.map(({ grid }) => grid);
        const tokenIds = await model.prompts.encodeChat(query.input, grids, signal);
        const images = model.images === undefined ? [] : placeImages(tokenIds, opened, model.images);
        return { tokenIds, images, echoText: undefined };
      }
    }
  }

  /** A prompt's tokens, of which there must be one. */
  #read(reading: TextReading | undefined, field: string, ids: Uint32Array): Uint32Array {
    if (reading?.looksMarked === true && !reading.isMarked) this.#warnOfMarks();
    if (ids.length === 0) throw new DroverError("invalid_argument", "must not be empty", { field });
    return ids;
  }

  /** Who renders the template and does not say so gets worse answers, and nobody would know why. */
  #warnOfMarks(): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#options.logger.warn("prompt.special_tokens_are_text", {
      hint: "a prompt without a template has names of special tokens, which are read as text: parse_special reads them",
    });
  }

  /** In order, a few at a time. When one cannot be opened, the others need not be. */
  async #openImages(
    references: readonly ImageReference[],
    holder: ImagesPermit,
    signal: AbortSignal,
  ): Promise<readonly ImageTiles[]> {
    const open = (reference: ImageReference, either: AbortSignal) => this.#openImage(reference, holder, either);
    return await allOrNone(references, signal, open, IMAGES_AT_ONCE);
  }

  /** Counts its tiles against what the router holds. */
  async #openImage(
    { url, field, file }: ImageReference,
    holder: ImagesPermit,
    signal: AbortSignal,
  ): Promise<ImageTiles> {
    const { model, clock, metrics } = this.#options;
    assert(model.images !== undefined, "a prompt with images is for a model that reads them");
    const beganMs = clock.monotonic();
    const span = holder?.trace?.child("image");
    try {
      const tiles = await model.images.intake.open(file ?? url, signal);
      metrics.imageOpened((clock.monotonic() - beganMs) / 1000);
      span?.end();
      holder?.holdImage(tiles.pixels.byteLength);
      return keptApart(tiles, holder?.account.salt);
    } catch (error) {
      throw withField(error, field);
    }
  }
}

/** Features are found again by the hash: those of tenants apart never are each other's. */
function keptApart(tiles: ImageTiles, salt = ""): ImageTiles {
  if (salt === "") return tiles;
  return { ...tiles, contentHash: hash("sha256", `${salt} ${tiles.contentHash}`, "hex") };
}

/** Errors: `invalid_argument` for a text without a token. */
function withField(error: unknown, field: string): unknown {
  if (!(error instanceof DroverError) || error.field !== undefined || error.code === "cancelled") return error;
  const { code, message, retryAfterMs, cause } = error;
  return new DroverError(code, message, { field, cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}
