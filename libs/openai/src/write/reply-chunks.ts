import type { FinishReason } from "../text/output.ts";
import { closingEvents, eventJson, type ReplyFrame } from "./reply-frame.ts";

/** How one of the APIs writes a choice's first and last chunk; either may be empty. */
export type ChoiceChunks = Readonly<{
  begin: (choice: number) => string;
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

  #begin(choice: number): string {
    if (this.#begun[choice] !== false) return "";
    this.#begun[choice] = true;
    return this.#choices.begin(choice);
  }

  #finish(choice: number, reason: FinishReason): string {
    this.#finished[choice] = true;
    return this.#choices.finish(choice, reason);
  }
}
