import type { Tokenizer } from "@drover/tokenizer";
import { StopMatcher } from "./stop-matcher.ts";

/** One choice's text: tokens in, complete characters out, up to a stop string. */
export class ChoiceText {
  readonly #tokenizer: Tokenizer;
  readonly #stream: ReturnType<Tokenizer["stream"]>;
  readonly #matcher: StopMatcher;
  readonly #minTokens: number;
  #tokenCount = 0;

  constructor(tokenizer: Tokenizer, stop: readonly string[], minTokens: number) {
    this.#tokenizer = tokenizer;
    this.#stream = tokenizer.stream();
    this.#matcher = new StopMatcher(stop);
    this.#minTokens = minTokens;
  }

  /**
   * One token's text. `last` when the worker ended the choice with it: what is held back comes out too. `silent` for a stop token, which gives
   * no text. Stop strings do not count before `min_tokens`.
   */
  push(tokenId: number, last: boolean, silent: boolean): { text: string; stopped: boolean } {
    this.#tokenCount++;
    let piece = silent || this.#tokenizer.isSpecial(tokenId) ? "" : this.#stream.push(tokenId);
    if (last) piece += this.#stream.flush();
    if (this.#tokenCount < this.#minTokens) return { text: piece, stopped: false };
    const { text, matched } = this.#matcher.push(piece);
    return { text: last && !matched ? text + this.#matcher.flush() : text, stopped: matched };
  }
}
