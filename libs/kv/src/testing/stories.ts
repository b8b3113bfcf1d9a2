import { BLOCK_TOKENS } from "../limits.ts";

/**
 * Sequences with common beginnings. A story is a list of symbols, each a block of equal tokens; every prefix of symbols
 * has a number, so that the row at a position has a name that tells from which prefix it was computed.
 */
export class Stories {
  readonly #children = new Map<string, number>();
  #nextPrefix = 1;

  /** The number of each block's prefix. */
  prefixes(symbols: readonly number[]): number[] {
    let prefix = 0;
    return symbols.map((symbol) => {
      const key = `${prefix},${symbol}`;
      const known = this.#children.get(key);
      prefix = known ?? this.#nextPrefix++;
      if (known === undefined) this.#children.set(key, prefix);
      return prefix;
    });
  }

  static tokens(symbols: readonly number[], from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, i) => symbols[Math.floor((from + i) / BLOCK_TOKENS)] ?? 0);
  }
}

/** The name of the row at a position. */
export function rowName(prefixes: readonly number[], position: number): number {
  return (prefixes[Math.floor(position / BLOCK_TOKENS)] ?? 0) * BLOCK_TOKENS + (position % BLOCK_TOKENS);
}
