import type { FinishReason, Output } from "../text/output.ts";
import { joined, parts } from "./long-list.ts";
import { closingEvents, eventJson, oneLine, type ReplyFrame } from "./reply-frame.ts";

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
  readonly #tail: string;
  readonly #choices: ChoiceChunks;
  readonly #tellsPrompt: boolean;
  readonly #begun: boolean[];
  readonly #finished: boolean[];
  #tokenCount = 0;

  /** @param object every chunk's `object`, in OpenAI's words */
  constructor(frame: ReplyFrame, object: string, choices: ChoiceChunks) {
    const { id, created, model, request, requests, options } = frame;
    const { n, topLogprobs, routedExperts } = request.sampling;
    this.#frame = frame;
    this.#object = object;
    this.#choices = choices;
    const head = { id, object, created, model: model.modelId };
    this.#head = `data: ${eventJson(head).slice(0, -1)},"choices":[`;
    this.#tail = options.includeUsage ? `],"usage":null}\n\n` : "]}\n\n";
    this.isPlain = topLogprobs < 0 && !options.returnTokenIds && !routedExperts;
    this.#tellsPrompt =
      !this.isPlain || options.promptLogprobs !== undefined || requests.some(({ echoText }) => echoText !== undefined);
    this.#begun = Array(requests.length * n).fill(false);
    this.#finished = Array(requests.length * n).fill(false);
  }

  /** A chunk of one choice, given as JSON. */
  chunk(choice: string): string {
    return this.#head + choice + this.#tail;
  }

  /** Surrounds what a token adds with its choice's first and last chunk, where they are due. */
  token(choice: number, chunks: string, finish: FinishReason | undefined): string {
    this.#tokenCount++;
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
      yield this.#tail;
    }
  }

  #begin(choice: number): string {
    return this.#begun[choice] === false ? [...this.#opened(choice)].join("") : "";
  }

  #finish(choice: number, reason: FinishReason): string {
    this.#finished[choice] = true;
    return this.#choices.finish(choice, reason);
  }
}
