import { ENDING_TOKENS_MAX } from "./limits.ts";

/** What penalties need to know of a sequence: which tokens its prompt has, and how often each is in its output. */
export class TokenHistory {
  readonly #promptTokenIds: Iterable<number>;
  readonly #output = new Map<number, number>();
  readonly #last: number[] = [];
  #seen: Set<number> | undefined = undefined;

  /**
   * Keeps the ids and reads them only when a penalty first asks: most requests have none, and a prompt may have a
   * million tokens.
   */
  constructor(promptTokenIds: Iterable<number>) {
    this.#promptTokenIds = promptTokenIds;
  }

  /** Counts one token of the output. */
  append(tokenId: number): void {
    this.#output.set(tokenId, (this.#output.get(tokenId) ?? 0) + 1);
    this.#seen?.add(tokenId);
    this.#last.push(tokenId);
    if (this.#last.length >= 2 * ENDING_TOKENS_MAX) this.#last.splice(0, ENDING_TOKENS_MAX);
  }

  /** Of at most `ENDING_TOKENS_MAX` tokens, as many as are kept. */
  endsWith(tokenIds: readonly number[]): boolean {
    const start = this.#last.length - tokenIds.length;
    return start >= 0 && tokenIds.every((id, i) => this.#last[start + i] === id);
  }

  /** Tokens of the output with their counts. */
  output(): Iterable<readonly [tokenId: number, count: number]> {
    return this.#output;
  }

  /** Tokens of prompt and output, each once. */
  seen(): Iterable<number> {
    if (this.#seen === undefined) {
      this.#seen = new Set(this.#promptTokenIds);
      for (const tokenId of this.#output.keys()) this.#seen.add(tokenId);
    }
    return this.#seen;
  }
}
