/** Finds stop strings in text that arrives in pieces. Holds back what may be the beginning of one, and nothing else. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Text that is safe to send. With `matched`, it ends before that stop string, the earliest, and nothing may follow. */
  push(text: string): { text: string; matched: string | undefined } {
    if (this.#stops.length === 0) return { text, matched: undefined };
    const seen = this.#held + text;
    let first = -1;
    let matched: string | undefined;
    for (const stop of this.#stops) {
      const at = seen.indexOf(stop);
      if (at < 0 || (first >= 0 && at >= first)) continue;
      first = at;
      matched = stop;
    }
    if (first >= 0) {
      this.#held = "";
      return { text: seen.slice(0, first), matched };
    }
    const keep = this.#heldLength(seen);
    this.#held = seen.slice(seen.length - keep);
    return { text: seen.slice(0, seen.length - keep), matched: undefined };
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
