import type { Tokenizer } from "@drover/tokenizer";
import type { InferenceRequest } from "../request/inference-request.ts";
import { type ChoicePart, ChoiceToolCalls, toolCallIdPrefix } from "./choice-tool-calls.ts";
import { StopMatcher } from "./stop-matcher.ts";
import { TokenPlaces } from "./token-places.ts";

/** What one token gives, and the stop string where one ended the choice. `textOffset` and `shownCount` are an `Output`'s. */
export type ChoicePiece = ChoicePart &
  Readonly<{ stopString: string | undefined; textOffset: number; shownCount: number }>;

const NO_CALLS: ChoicePart["toolCalls"] = [];
const NO_PLACES = { textOffset: 0, shownCount: 0 } as const;

/** One choice's text: tokens in, complete characters and tool calls out, up to a stop string. */
export class ChoiceText {
  readonly #tokenizer: Tokenizer;
  readonly #stream: ReturnType<Tokenizer["stream"]>;
  readonly #matcher: StopMatcher;
  readonly #minTokens: number;
  readonly #shown: InferenceRequest["shown"];
  readonly #toolCalls: ChoiceToolCalls | undefined;
  /** Only where log-probabilities are told. */
  readonly #places: TokenPlaces | undefined;
  #tokenCount = 0;

  constructor(
    tokenizer: Tokenizer,
    { stop, sampling, toolCalls, shown }: Pick<InferenceRequest, "stop" | "sampling" | "toolCalls" | "shown">,
    requestId: string,
    choice: number,
  ) {
    this.#tokenizer = tokenizer;
    this.#stream = tokenizer.stream();
    this.#matcher = new StopMatcher(stop);
    this.#minTokens = sampling.minTokens;
    this.#shown = shown;
    if (sampling.topLogprobs >= 0) this.#places = new TokenPlaces();
    if (toolCalls !== undefined)
      this.#toolCalls = new ChoiceToolCalls(toolCalls, tokenizer, toolCallIdPrefix(requestId, choice));
  }

  /** Whether the choice has called a tool. */
  get called(): boolean {
    return (this.#toolCalls?.callCount ?? 0) > 0;
  }

  /**
   * One token's text. `last` when the worker ended the choice with it: what is held back comes out too. `silent` for a stop token, which gives
   * no text. Stop strings do not count before `min_tokens`; they count inside of tool calls, and what they cut off is text.
   */
  push(tokenId: number, last: boolean, silent: boolean): ChoicePiece {
    this.#tokenCount++;
    let piece = this.#tokenizer.isSpecial(tokenId)
      ? this.#special(tokenId, silent)
      : silent && this.#shown?.stop !== true
        ? ""
        : this.#stream.push(tokenId);
    if (last) piece += this.#stream.flush();
    this.#toolCalls?.read(tokenId, piece);
    const { text, stopString } = this.#match(piece, last);
    const { textOffset, shownCount } = this.#place(piece, text);
    if (this.#toolCalls === undefined) return { text, toolCalls: NO_CALLS, stopString, textOffset, shownCount };
    const stopped = stopString !== undefined;
    // A stop token that is none of the model's special ones is the client's: it cuts the model off.
    const byModel = silent && !stopped && this.#tokenizer.isSpecial(tokenId);
    const part = this.#toolCalls.parse(text, last || stopped, byModel);
    return { text: part.text, toolCalls: part.toolCalls, stopString, textOffset, shownCount };
  }

  /** A special token's name, where it is shown and marks no call; then no character goes on behind it. */
  #special(tokenId: number, silent: boolean): string {
    if (this.#shown?.special !== true || this.#toolCalls !== undefined) return "";
    return silent && !this.#shown.stop ? "" : this.#stream.flush() + this.#tokenizer.tokenText(tokenId);
  }

  #place(read: string, given: string): Pick<ChoicePiece, "textOffset" | "shownCount"> {
    if (this.#places === undefined) return NO_PLACES;
    return { textOffset: this.#places.read(read), shownCount: this.#places.give(given) };
  }

  #match(piece: string, last: boolean): { text: string; stopString: string | undefined } {
    if (this.#tokenCount < this.#minTokens) return { text: piece, stopString: undefined };
    const { text, matched } = this.#matcher.push(piece);
    if (matched !== undefined) return { text: this.#shown?.stop === true ? text + matched : text, stopString: matched };
    return { text: last ? text + this.#matcher.flush() : text, stopString: undefined };
  }
}
