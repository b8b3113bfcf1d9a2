import type { ImageGrid } from "@drover/core";
import type { ChatInput } from "./chat-input.ts";

/** Turns what a client sent into token ids, off the event loop where that takes long. */
export interface PromptEncoder {
  /** Plain text: nothing in it becomes a special token, but where its author marked it: then names of special tokens do. */
  encodeText(text: string, signal: AbortSignal, isMarked?: boolean): Promise<Uint32Array>;
  /**
   * A conversation, rendered by the checkpoint's template; image parts in order take the grids' token layouts.
   * Errors: `invalid_argument` with field `messages` when the template refuses it, or has no place for an image.
   */
  encodeChat(input: ChatInput, images: readonly ImageGrid[], signal: AbortSignal): Promise<Uint32Array>;
}
