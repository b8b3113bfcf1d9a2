/** A blow to the cluster: what it hit, and when, on the monotonic scale. */
export type Blow = Readonly<{ kind: string; atMs: number }>;

/** The longest waits for a token, of each stream that was alive at a blow, by what was hit. */
export class Pauses {
  readonly #blows: Blow[] = [];
  readonly #byKind = new Map<string, number[]>();

  note(blow: Blow): void {
    this.#blows.push(blow);
  }

  /** Takes when each event of a stream came: for every blow during it, the longest wait that ended between that blow and the next one. */
  take(eventsMs: readonly number[]): void {
    const [first = 0, last = 0] = [eventsMs.at(0), eventsMs.at(-1)];
    for (const [i, { kind, atMs }] of this.#blows.entries()) {
      if (atMs < first || atMs > last) continue;
      const endMs = this.#blows[i + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      let longestMs = 0;
      for (const [k, eventMs] of eventsMs.entries()) {
        const before = eventsMs[k - 1];
        if (before === undefined || eventMs < atMs || before > endMs) continue;
        longestMs = Math.max(longestMs, eventMs - before);
      }
      this.#of(kind).push(longestMs);
    }
  }

  /** Kinds that were hit, each with its pauses in ascending order, milliseconds. */
  get all(): ReadonlyMap<string, readonly number[]> {
    for (const { kind } of this.#blows) this.#of(kind);
    return new Map([...this.#byKind].map(([kind, pausesMs]) => [kind, pausesMs.toSorted((a, b) => a - b)]));
  }

  countOf(kind: string): number {
    return this.#blows.filter((blow) => blow.kind === kind).length;
  }

  #of(kind: string): number[] {
    const pausesMs = this.#byKind.get(kind) ?? [];
    this.#byKind.set(kind, pausesMs);
    return pausesMs;
  }
}
