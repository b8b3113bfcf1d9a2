import { OTHER_WAY_RETRY_MS, PACE_SAMPLES_AT_ONCE } from "./limits.ts";

/** Where rows are computed whose experts are all in this process, and some with others too: here alone, or shared out among all holders. */
export type Way = "here" | "among";

/** How much the newest time counts in a mean. */
const NEWEST = 0.2;

/** A time counts as so many times the mean at most: who was held up once by other work has not become slow, and a mean that it spoilt would stand until that way is tried again. */
const OUTLIER = 3;

const nextMean = (meanMs: number, ms: number): number =>
  meanMs * (1 - NEWEST) + Math.min(ms, OUTLIER * meanMs) * NEWEST;

/** What is known of one way for calls of one size. */
type Known = { meanMs: number; triedAtMs: number; count: number };

/**
 * Chooses between the ways by what each has taken, for calls of 1, 2 to 3, 4 to 7, ... rows by themselves: of few rows the way to another process takes longer than they do, and whoever decodes itself
 * answers late; of a prompt's many an idle worker takes a part. Both are tried a few times at first: a first call is slow, and after so many it is known when one of the others is late. The way that is slower is tried again now and then, as others may have less to do by then. Pure: time is an argument.
 */
export class HereOrAmong {
  /** By the logarithm of the rows. */
  readonly #sizes: Record<Way, Known | undefined>[] = [];

  choose(rowCount: number, now: number): Way {
    const { here, among } = this.#size(rowCount);
    if (here === undefined || here.count < PACE_SAMPLES_AT_ONCE) return "here";
    if (among === undefined || among.count < PACE_SAMPLES_AT_ONCE) return "among";
    const [best, other] = among.meanMs < here.meanMs ? (["among", here] as const) : (["here", among] as const);
    if (now - other.triedAtMs < OTHER_WAY_RETRY_MS) return best;
    return best === "here" ? "among" : "here";
  }

  /** So many rows have taken so long. */
  note(way: Way, rowCount: number, ms: number, now: number): void {
    const size = this.#size(rowCount);
    const known = size[way];
    const meanMs = known === undefined || known.meanMs === 0 ? ms : nextMean(known.meanMs, ms);
    size[way] = { meanMs, triedAtMs: now, count: (known?.count ?? 0) + 1 };
  }

  #size(rowCount: number): Record<Way, Known | undefined> {
    const index = Math.floor(Math.log2(Math.max(1, rowCount)));
    this.#sizes[index] ??= { here: undefined, among: undefined };
    return this.#sizes[index];
  }
}
