import { availableParallelism } from "node:os";
import type { ChatInput, PromptEncoder, TemplateSource } from "@drover/chat";
import { DroverError, type ImageGrid, neverAborted } from "@drover/core";
import type { SharableTokenizer } from "@drover/tokenizer";
import { PROMPT_LIMITS } from "./limits.ts";
import { PromptThread } from "./prompt-thread.ts";
import type { ThreadRequest, ThreadSettings } from "./thread-messages.ts";

export type PromptPoolOptions = Readonly<{
  /** Its vocabulary is shared with the threads. */
  tokenizer: SharableTokenizer;
  template: TemplateSource;
  /** Feature rows of one tile; undefined for a model of text alone. */
  patchesPerTile: number | undefined;
  /** Prompts that are encoded at once: one, or two where there are two cores, so that a short one passes beside a long one. */
  threads?: number;
  queueMax?: number;
  encodeMsMax?: number;
  inlineCharactersMax?: number;
  /** What a thread runs, where it is not the encoder: for tests. */
  program?: URL;
}>;

type Job = Readonly<{ request: ThreadRequest; done: PromiseWithResolvers<Uint32Array> }>;

const ENCODER = new URL("./prompt-worker.ts", import.meta.url);
/** A long prompt takes a fraction of a second, so soon there is room again. */
const RETRY_AFTER_MS = 1_000;

/**
 * Encodes prompts on threads of its own, so that the caller's event loop only copies a text. Conversations always go there, since a template
 * may loop for ever; the thread is then replaced. Short plain text is encoded where it is.
 */
export class PromptPool implements PromptEncoder, AsyncDisposable {
  readonly #settings: ThreadSettings;
  readonly #options: Required<Omit<PromptPoolOptions, keyof ThreadSettings | "tokenizer">>;
  readonly #tokenizer: SharableTokenizer;
  readonly #idle: PromptThread[] = [];
  readonly #threads = new Set<PromptThread>();
  readonly #waiting = new Set<Job>();
  #isClosed = false;

  private constructor({ tokenizer, template, patchesPerTile, ...options }: PromptPoolOptions) {
    this.#tokenizer = tokenizer;
    this.#settings = { vocabulary: tokenizer.share(), template, patchesPerTile };
    this.#options = {
      threads: Math.min(2, availableParallelism()),
      queueMax: PROMPT_LIMITS.queueMax,
      encodeMsMax: PROMPT_LIMITS.encodeMsMax,
      inlineCharactersMax: isQuick(this.#settings) ? PROMPT_LIMITS.inlineCharactersMax : 0,
      program: ENCODER,
      ...options,
    };
  }

  /** Starts the threads and waits until they can encode. Errors: `invalid_argument` for a template that cannot be parsed. */
  static async start(options: PromptPoolOptions): Promise<PromptPool> {
    const pool = new PromptPool(options);
    try {
      const threads = Array.from({ length: pool.#options.threads }, () => pool.#run({ kind: "ready" }, neverAborted));
      await Promise.all(threads);
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Errors: `overloaded` when the queue is full, `deadline_exceeded`, `internal` when the text ends its thread, `unavailable` once closed; the signal's reason. */
  async encodeText(text: string, signal: AbortSignal): Promise<Uint32Array> {
    signal.throwIfAborted();
    if (text.length <= this.#options.inlineCharactersMax) return this.#tokenizer.encode(text);
    return this.#run({ kind: "text", text }, signal);
  }

  /** Errors: those of the template and of `encodeText`. The input is copied before this returns. */
  async encodeChat(input: ChatInput, images: readonly ImageGrid[], signal: AbortSignal): Promise<Uint32Array> {
    signal.throwIfAborted();
    return this.#run({ kind: "chat", input, images }, signal);
  }

  /** Ends all threads; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting) job.done.reject(closed());
    this.#waiting.clear();
    await Promise.all(Array.from(this.#threads, (thread) => thread.end()));
  }

  async #run(request: ThreadRequest, signal: AbortSignal): Promise<Uint32Array> {
    if (this.#isClosed) throw closed();
    const { threads, queueMax } = this.#options;
    const isBusy = this.#idle.length === 0 && this.#threads.size >= threads;
    if (isBusy && this.#waiting.size >= queueMax)
      throw new DroverError("overloaded", "too many prompts wait to be encoded", { retryAfterMs: RETRY_AFTER_MS });
    const job = { request, done: Promise.withResolvers<Uint32Array>() };
    this.#waiting.add(job);
    const onAbort = () => {
      this.#waiting.delete(job);
      job.done.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#dispatch();
      return await job.done.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Gives what waits to threads that do not work, in order. */
  #dispatch(): void {
    for (const job of this.#waiting) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      this.#waiting.delete(job);
      void this.#runOn(thread, job);
    }
  }

  #idleThread(): PromptThread | undefined {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (!thread.isDead) return thread;
      this.#threads.delete(thread);
    }
    if (this.#isClosed || this.#threads.size >= this.#options.threads) return undefined;
    const thread = new PromptThread(this.#options.program, this.#settings);
    this.#threads.add(thread);
    return thread;
  }

  async #runOn(thread: PromptThread, { request, done }: Job): Promise<void> {
    try {
      done.resolve(await thread.run(request, this.#options.encodeMsMax));
    } catch (error) {
      done.reject(this.#isClosed ? closed() : error);
    }
    if (thread.isDead) {
      // Its place is free only once it has ended, so that threads which hang cannot pile up.
      await thread.end();
      this.#threads.delete(thread);
    } else {
      this.#idle.push(thread);
    }
    this.#dispatch();
  }
}

/** Whether the time for a text is bounded by its length: a checkpoint's own regular expression may take any. */
function isQuick({ vocabulary }: ThreadSettings): boolean {
  return vocabulary.steps.every(({ kind }) => kind === "o200k");
}

function closed(): DroverError {
  return new DroverError("unavailable", "the prompt pool is closed");
}
