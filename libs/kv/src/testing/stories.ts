import { BLOCK_TOKENS } from "../limits.ts";

/**
 * Sequences with common beginnings. A story is a list of symbols, each a block of equal tokens; every prefix of symbols has a number, so
 * that the row at a position has a name that tells from which prefix it was computed.
 */
export class Stories {
  readonly #children = new Map<string, number>();
  #nextNode = 1;

  /** The name of each block's prefix. */
  nodes(symbols: readonly number[]): number[] {
    let node = 0;
    return symbols.map((symbol) => {
      const key = `${node},${symbol}`;
      const known = this.#children.get(key);
      node = known ?? this.#nextNode++;
      if (known === undefined) this.#children.set(key, node);
      return node;
    });
  }

  static tokens(symbols: readonly number[], from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, i) => symbols[Math.floor((from + i) / BLOCK_TOKENS)] ?? 0);
  }
}

/** The name of the row at a position. */
export function rowName(nodes: readonly number[], position: number): number {
  return (nodes[Math.floor(position / BLOCK_TOKENS)] ?? 0) * BLOCK_TOKENS + (position % BLOCK_TOKENS);
}
