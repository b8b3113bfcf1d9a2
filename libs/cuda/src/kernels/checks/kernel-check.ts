import type { CheckedCard } from "./checked-card.ts";

/** A kernel beside its reference: what it is called, and how far it may be away. */
export type KernelCheck = Readonly<{
  name: string;
  /** Of the result's size. */
  errorMax: number;
  /** Computes on the card and in plain TypeScript, and returns the relative error. */
  run(card: CheckedCard, random: Random): number;
}>;

/** Random numbers that a seed makes: a check has the same inputs each time that it is run with it. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). Source: mulberry32. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** In [0, below). */
  integer(below: number): number {
    return Math.floor(this.unit() * below);
  }

  /** Numbers that bf16 holds exactly, about as large as `scale`. */
  floats(count: number, scale = 1): Float32Array {
    const values = Float32Array.from({ length: count }, () => (this.unit() + this.unit() + this.unit() - 1.5) * scale);
    const bits = new Uint32Array(values.buffer);
    for (const [i, word] of bits.entries()) bits[i] = word & 0xffff0000;
    return values;
  }

  integers(count: number, below: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.integer(below));
  }
}
