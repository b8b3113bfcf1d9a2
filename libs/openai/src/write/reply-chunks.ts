import { at } from "@drover/core";
import type { FinishReason, Output } from "../text/output.ts";
import { joined, parts } from "./long-list.ts";
import { obfuscation } from "./obfuscation.ts";
import { closingEvents, eventJson, oneLine, type ReplyFrame } from "./reply-frame.ts";
import { runningUsage } from "./usage.ts";

/** How one of the APIs writes a choice's first and last chunk. */
export type ChoiceChunks = Readonly<{
  /** What its first chunks say of it, none or one each. */
  begin: (choice: number) => readonly unknown[];
  finish: (choice: number, reason: FinishReason) => string;
}>;

/** The events of one streamed reply: each choice begins once and says once why it ended, whatever comes of its tokens. */
export class ReplyChunks {
  /** A chunk holds nothing but text. */
  readonly isPlain: boolean;
  readonly #frame: ReplyFrame;
  readonly #object: string;
  readonly #head: string;
  /** Undefined where it is another one in each chunk. */
  readonly #tail: string | undefined;
  readonly #choices: ChoiceChunks;
  readonly #tellsPrompt: boolean;
  readonly #begun: boolean[];
  readonly #finished: boolean[];
  /** Of each choice. */
  readonly #tokenCounts: number[];

  /** @param object every chunk's `object`, in OpenAI's words */
  constructor(frame: ReplyFrame, object: string, choices: ChoiceChunks) {
    const { id, created, model, request, requests, options } = frame;
    const { n, topLogprobs, routedExperts } = request.sampling;
    this.#frame = frame;
    this.#object = object;
    this.#choices = choices;
    const head = { id, object, created, model: model.modelId };
    this.#head = `data: ${eventJson(head).slice(0, -1)},"choices":[`;
    const isVaried = options.continuousUsage === true || options.obfuscates === true;
    this.#tail = isVaried ? undefined : options.includeUsage ? `],"usage":null}\n\n` : "]}\n\n";
    this.isPlain = topLogprobs < 0 && !options.returnTokenIds && !routedExperts;
    this.#tellsPrompt =
      !this.isPlain || options.promptLogprobs !== undefined || requests.some(({ echoText }) => echoText !== undefined);
    this.#begun = Array(requests.length * n).fill(false);
    this.#finished = Array(requests.length * n).fill(false);
    this.#tokenCounts = Array(requests.length * n).fill(0);
  }

  /** A chunk of a choice, which is given as JSON. */
  chunk(choice: number, json: string): string {
    return this.#tail === undefined ? this.#variedChunk(choice, json) : this.#head + json + this.#tail;
  }

  /** A choice has one more token; comes before what is written of it. */
  count(choice: number): void {
    this.#tokenCounts[choice] = at(this.#tokenCounts, choice) + 1;
  }

  /** Surrounds what a token adds with its choice's first and last chunk, where they are due. */
  token(choice: number, chunks: string, finish: FinishReason | undefined): string {
    const written = this.#begin(choice) + chunks;
    return finish === undefined ? written : written + this.#finish(choice, finish);
  }

  /** Begins and ends every choice that has not, then the usage where it was asked for, then `[DONE]`. */
  end(cachedTokenCount: number): string {
    let written = "";
    for (let choice = 0; choice < this.#finished.length; choice++) {
      written += this.#begin(choice);
      if (this.#finished[choice] === false) written += this.#finish(choice, "length");
    }
    return written + closingEvents(this.#frame, this.#object, this.#tokenCount, cachedTokenCount);
  }

  /** The first chunks of the choices that an output begins, where what they tell of the prompt may be long; undefined where nothing is due. */
  opening(output: Output): Iterable<string> | undefined {
    if (output.kind === "prompt" || !this.#tellsPrompt) return undefined;
    const all = output.kind === "token" ? [output.choice] : this.#begun.map((_, choice) => choice);
    const due = all.filter((choice) => this.#begun[choice] === false);
    return due.length === 0 ? undefined : joined(this.#openedAll(due));
  }

  *#openedAll(choices: readonly number[]): Generator<string> {
    for (const choice of choices) yield* this.#opened(choice);
  }

  *#opened(choice: number): Generator<string> {
    if (this.#begun[choice] !== false) return;
    this.#begun[choice] = true;
    for (const said of this.#choices.begin(choice)) {
      yield this.#head;
      for (const part of parts(said)) yield oneLine(part);
      yield this.#tail ?? `${this.#usageTail(choice, 0)}}\n\n`;
    }
  }

  #variedChunk(choice: number, json: string): string {
    const text = this.#head + json + this.#usageTail(choice, at(this.#tokenCounts, choice));
    return `${this.#frame.options.obfuscates === true ? text + obfuscation(text) : text}}\n\n`;
  }

  /** What a chunk says behind its choice, but for its last brace. */
  #usageTail(choice: number, tokenCount: number): string {
    const { options, requests, request } = this.#frame;
    if (options.continuousUsage !== true) return options.includeUsage ? '],"usage":null' : "]";
    const { promptTokenIds } = at(requests, Math.floor(choice / request.sampling.n));
    return `],"usage":${eventJson(runningUsage(promptTokenIds.length, tokenCount))}`;
  }

  get #tokenCount(): number {
    return this.#tokenCounts.reduce((sum, count) => sum + count, 0);
  }

  #begin(choice: number): string {
    return this.#begun[choice] === false ? [...this.#opened(choice)].join("") : "";
  }

  #finish(choice: number, reason: FinishReason): string {
    this.#finished[choice] = true;
    return this.#choices.finish(choice, reason);
  }
}
