/** A blow to the cluster: what it hit, and when, on the monotonic scale. */
export type Blow = Readonly<{ kind: string; atMs: number }>;

/** A wait that says more than its length: in which stream, from when to when, and what was hit before it ended. */
export type LongPause = Readonly<{ stream: string; fromMs: number; toMs: number; blow: Blow }>;

/** Waits that are told one by one. */
const LONG_MS = 500;

/** What a killed process had sent is still read for so long: a wait that begins then is for it, whatever is hit before it ends. */
const LAST_WORDS_MS = 50;

/** The longest waits for a token, of each stream that was alive at a blow, by what was hit. */
export class Pauses {
  readonly #blows: Blow[] = [];
  readonly #byKind = new Map<string, number[]>();
  readonly #onLong: (pause: LongPause) => void;

  constructor(onLong: (pause: LongPause) => void = () => undefined) {
    this.#onLong = onLong;
  }

  note(blow: Blow): void {
    this.#blows.push(blow);
  }

  /** Takes when each event of a stream came: for every blow during it, the longest wait that is that blow's. */
  take(stream: string, eventsMs: readonly number[]): void {
    const [first = 0, last = 0] = [eventsMs.at(0), eventsMs.at(-1)];
    const longest = new Map<Blow, number>();
    for (const blow of this.#blows) if (blow.atMs >= first && blow.atMs <= last) longest.set(blow, 0);
    for (const [i, toMs] of eventsMs.entries()) {
      const fromMs = eventsMs[i - 1];
      const blow = fromMs === undefined ? undefined : this.#blowOf(fromMs, toMs);
      const before = blow && longest.get(blow);
      if (fromMs === undefined || blow === undefined || before === undefined) continue;
      longest.set(blow, Math.max(before, toMs - fromMs));
      if (toMs - fromMs >= LONG_MS) this.#onLong({ stream, fromMs, toMs, blow });
    }
    for (const [{ kind }, ms] of longest) this.#of(kind).push(ms);
  }

  /** The blow just before a wait, or else the first one within it, or else the last one before it: who waits already when something is hit does not wait for that. */
  #blowOf(fromMs: number, toMs: number): Blow | undefined {
    return (
      this.#blows.findLast(({ atMs }) => atMs < fromMs && fromMs - atMs <= LAST_WORDS_MS) ??
      this.#blows.find(({ atMs }) => atMs >= fromMs && atMs <= toMs) ??
      this.#blows.findLast(({ atMs }) => atMs < fromMs)
    );
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
