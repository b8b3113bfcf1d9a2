/** What penalties need to know of a sequence: which tokens its prompt has, and how often each is in its output. */
export class TokenHistory {
  readonly #prompt: ReadonlySet<number>;
  readonly #output = new Map<number, number>();

  constructor(promptTokenIds: Iterable<number>) {
    this.#prompt = new Set(promptTokenIds);
  }

  append(tokenId: number): void {
    this.#output.set(tokenId, (this.#output.get(tokenId) ?? 0) + 1);
  }

  /** Tokens of the output with their counts. */
  output(): Iterable<readonly [tokenId: number, count: number]> {
    return this.#output;
  }

  /** Tokens seen anywhere, each once. */
  *seen(): Iterable<number> {
    yield* this.#prompt;
    for (const id of this.#output.keys()) if (!this.#prompt.has(id)) yield id;
  }
}
