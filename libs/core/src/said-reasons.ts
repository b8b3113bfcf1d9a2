import { REASONS_MAX } from "./limits.ts";

/** Which reasons of one spell of failures have been said: something that is tried again and again says each of them once. */
export class SaidReasons {
  readonly #said = new Set<string>();

  /** Whether the reason is to be said now. */
  isNew(reason: string): boolean {
    if (this.#said.has(reason)) return false;
    if (this.#said.size >= REASONS_MAX) this.#said.clear();
    this.#said.add(reason);
    return true;
  }

  /** The spell is over. */
  clear(): void {
    this.#said.clear();
  }
}
