import { DroverError, type ImageGrid } from "@drover/core";
import type { Segment, Tokenizer } from "@drover/tokenizer";
import type { ChatInput } from "./chat-input.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { IMAGE_TOKENS, type ImageToken, imageTokenLayout } from "./image-token-layout.ts";
import { markedSegments } from "./marked-text.ts";
import type { PromptEncoder } from "./prompt-encoder.ts";

export type LocalPromptEncoderOptions = Readonly<{
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Feature rows of one tile; undefined for a model of text alone. */
  patchesPerTile: number | undefined;
}>;

/** Encodes on the caller's thread, without a pause. */
export class LocalPromptEncoder implements PromptEncoder {
  readonly #options: LocalPromptEncoderOptions;

  constructor(options: LocalPromptEncoderOptions) {
    this.#options = options;
  }

  async encodeText(text: string, signal: AbortSignal, isMarked = false): Promise<Uint32Array> {
    signal.throwIfAborted();
    const { tokenizer } = this.#options;
    return isMarked ? tokenizer.encodeSegments(markedSegments(text, tokenizer)) : tokenizer.encode(text);
  }

  async encodeChat(input: ChatInput, images: readonly ImageGrid[], signal: AbortSignal): Promise<Uint32Array> {
    signal.throwIfAborted();
    return this.renderChat(input, images).ids;
  }

  /** A conversation as the template's text, in which an image is one `<|image|>`, and as ids. Errors: those of `encodeChat`. */
  renderChat(input: ChatInput, images: readonly ImageGrid[]): { text: string; ids: Uint32Array } {
    const { tokenizer, template } = this.#options;
    const { text, segments } = template.render(input);
    return { text, ids: tokenizer.encodeSegments(this.#placeImages(segments, images)) };
  }

  /** Puts each image's layout where the template wrote `<|image|>`. Look-alikes in a client's text are no segments of their own. */
  #placeImages(segments: readonly Segment[], images: readonly ImageGrid[]): readonly Segment[] {
    const { tokenizer, patchesPerTile } = this.#options;
    const imageId = tokenizer.specialId(IMAGE_TOKENS.image);
    const isPlace = (segment: Segment) => segment.kind === "special" && segment.id === imageId;
    const placeCount = imageId === undefined ? 0 : segments.filter(isPlace).length;
    if (placeCount !== images.length) {
      throw messagesFault(
        images.length === 0
          ? "the chat template wrote an image where the messages have none"
          : `the messages have ${images.length} images and the chat template has places for ${placeCount}`,
      );
    }
    if (images.length === 0) return segments;
    if (patchesPerTile === undefined) throw messagesFault("the model reads no images");
    let next = 0;
    return segments.flatMap((segment) => {
      const grid = isPlace(segment) ? images[next++] : undefined;
      if (grid === undefined) return [segment];
      return imageTokenLayout(grid, patchesPerTile).map((name) => ({ kind: "special", id: this.#id(name) }) as const);
    });
  }

  #id(name: ImageToken): number {
    const id = this.#options.tokenizer.specialId(name);
    if (id === undefined) throw messagesFault(`the model reads no images: its tokenizer has no ${name}`);
    return id;
  }
}

function messagesFault(message: string): DroverError {
  return new DroverError("invalid_argument", message, { field: "messages" });
}
