/** Finds stop strings in text that arrives in pieces. Holds back what may be the beginning of one, and nothing else. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Text that is safe to send. With `matched`, it ends before the earliest stop string and nothing may follow. */
  push(text: string): { text: string; matched: boolean } {
    if (this.#stops.length === 0) return { text, matched: false };
    const seen = this.#held + text;
    let first = -1;
    for (const stop of this.#stops) {
      const at = seen.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) first = at;
    }
    if (first >= 0) {
      this.#held = "";
      return { text: seen.slice(0, first), matched: true };
    }
    const keep = this.#heldLength(seen);
    this.#held = seen.slice(seen.length - keep);
    return { text: seen.slice(0, seen.length - keep), matched: false };
  }

  /** What was held back, once nothing more comes. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** Length of the longest suffix that some stop string begins with. */
  #heldLength(seen: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, seen.length); length > longest; length--) {
        if (seen.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
