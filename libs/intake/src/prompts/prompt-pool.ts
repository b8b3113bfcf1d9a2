import { availableParallelism } from "node:os";
import { type ChatInput, markedSegments, type PromptEncoder, type TemplateSource } from "@drover/chat";
import type { ImageGrid } from "@drover/core";
import { ThreadPool } from "@drover/threads";
import type { SharableTokenizer } from "@drover/tokenizer";
import { ENCODE_MS_MAX, INLINE_CHARACTERS_MAX, PROMPT_QUEUE_MAX, PROMPT_THREAD_HEAP_MB } from "../limits.ts";
import type { PromptRequest, PromptSettings } from "./prompt-messages.ts";

export type PromptPoolOptions = Readonly<{
  /** Its vocabulary is shared with the threads. */
  tokenizer: SharableTokenizer;
  template: TemplateSource;
  /** Feature rows of one tile; undefined for a model of text alone. */
  patchesPerTile: number | undefined;
  /** Prompts that are encoded at once: one, or two where there are two cores, so that a short one passes beside a long one. */
  threads?: number;
  encodeMsMax?: number;
  inlineCharactersMax?: number;
}>;

const ENCODER = new URL("./prompt-worker.ts", import.meta.url);

/**
 * Encodes prompts on threads of its own, so that the caller's event loop only copies a text. Conversations always go there, since a template
 * may loop for ever; the thread is then replaced. Short plain text is encoded where it is.
 */
export class PromptPool implements PromptEncoder, AsyncDisposable {
  readonly #pool: ThreadPool<PromptRequest, Uint32Array>;
  readonly #tokenizer: SharableTokenizer;
  readonly #inlineCharactersMax: number;

  private constructor(options: PromptPoolOptions, threads: number) {
    const { tokenizer, template, patchesPerTile } = options;
    const settings: PromptSettings = { vocabulary: tokenizer.share(), template, patchesPerTile };
    this.#tokenizer = tokenizer;
    this.#inlineCharactersMax = options.inlineCharactersMax ?? (isQuick(settings) ? INLINE_CHARACTERS_MAX : 0);
    this.#pool = new ThreadPool({
      program: ENCODER,
      settings,
      resourceLimits: { maxOldGenerationSizeMb: PROMPT_THREAD_HEAP_MB },
      noun: "prompt",
      threads,
      queueMax: PROMPT_QUEUE_MAX,
      runMsMax: options.encodeMsMax ?? ENCODE_MS_MAX,
    });
  }

  /** Starts the threads and waits until they can encode. Errors: `invalid_argument` for a template that cannot be parsed. */
  static async start(options: PromptPoolOptions): Promise<PromptPool> {
    const threads = options.threads ?? Math.min(2, availableParallelism());
    const pool = new PromptPool(options, threads);
    try {
      await pool.#pool.start();
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Errors: `overloaded` when the queue is full, `deadline_exceeded`, `internal` when the text ends its thread, `unavailable` once closed; the signal's reason. */
  async encodeText(text: string, signal: AbortSignal, isMarked = false): Promise<Uint32Array> {
    signal.throwIfAborted();
    const tokenizer = this.#tokenizer;
    if (text.length > this.#inlineCharactersMax) return this.#run({ kind: "text", text, isMarked }, signal);
    return isMarked ? tokenizer.encodeSegments(markedSegments(text, tokenizer)) : tokenizer.encode(text);
  }

  /** Errors: those of the template and of `encodeText`. The input must not change meanwhile. */
  async encodeChat(input: ChatInput, images: readonly ImageGrid[], signal: AbortSignal): Promise<Uint32Array> {
    return this.#run({ kind: "chat", input, images }, signal);
  }

  /** What `packPrompt` has packed; the bytes are handed over. Errors: those of `encodeText` and `encodeChat`. */
  async encodePacked(
    bytes: Uint8Array<ArrayBuffer>,
    images: readonly ImageGrid[],
    signal: AbortSignal,
  ): Promise<Uint32Array> {
    return this.#pool.run({ post: () => [{ kind: "packed", bytes, images }, [bytes.buffer]] }, signal);
  }

  /** Ends all threads; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  async #run(request: PromptRequest, signal: AbortSignal): Promise<Uint32Array> {
    return this.#pool.run({ post: () => [request, []] }, signal);
  }
}

/** Whether the time for a text is bounded by its length: a checkpoint's own regular expression may take any. */
function isQuick({ vocabulary }: PromptSettings): boolean {
  return vocabulary.steps.every(({ kind }) => kind === "o200k");
}
