import { at } from "@drover/core";
import {
  FIXED_ROWS,
  HEDGE_FACTOR,
  HEDGE_MS_MIN,
  HEDGE_QUANTILE,
  PACE_SAMPLES_AT_ONCE,
  PACE_SAMPLES_MAX,
  SILENT_FACTOR,
  SILENT_MS_MIN,
  SLOW_FACTOR,
  SLOW_FACTOR_MAX,
  SLOW_HALF_LIFE_MS,
} from "./limits.ts";

/** How much the newest time counts in a peer's mean. */
const NEWEST = 0.2;

/** What is known of one peer: milliseconds a row, where a call counts {@link FIXED_ROWS} rows more than it has. */
type Pace = { readonly samples: number[]; count: number; mean: number; quantile: number; atMs: number };

/** How long peers take for their calls, as measured: when a call is late, and who is slow beside the others. Pure: time is an argument. */
export class PeerPaces {
  readonly #paces = new Map<string, Pace>();
  #typical = { mean: Number.NaN, quantile: Number.NaN };

  /** A call of so many rows was answered after so long. */
  note(workerId: string, rowCount: number, ms: number, now: number): void {
    const sample = ms / (rowCount + FIXED_ROWS);
    const known = this.#paces.get(workerId);
    const pace = known ?? { samples: [], count: 0, mean: sample, quantile: sample, atMs: now };
    this.#paces.set(workerId, pace);
    pace.samples[pace.count % PACE_SAMPLES_MAX] = sample;
    pace.count += 1;
    this.#average(pace, sample, now);
    if (known === undefined || pace.count % PACE_SAMPLES_AT_ONCE === 0) this.#measure(pace);
  }

  /** A call of so many rows has taken so long, and its answer never came: how long it takes to answer is as it was. */
  noteUnanswered(workerId: string, rowCount: number, ms: number, now: number): void {
    const pace = this.#paces.get(workerId);
    if (pace !== undefined) this.#average(pace, ms / (rowCount + FIXED_ROWS), now);
  }

  #average(pace: Pace, sample: number, now: number): void {
    pace.mean = this.#aged(pace, now) * (1 - NEWEST) + sample * NEWEST;
    pace.atMs = now;
  }

  /** Peers that the map does not name any more are forgotten. */
  keep(workerIds: ReadonlySet<string>): void {
    for (const workerId of this.#paces.keys()) if (!workerIds.has(workerId)) this.#paces.delete(workerId);
  }

  /** After how long a call of so many rows is late; undefined while nothing is known. What others take counts where it is less. */
  lateMs(workerId: string, rowCount: number): number | undefined {
    const pace = this.#paces.get(workerId);
    if (pace === undefined || pace.count < PACE_SAMPLES_AT_ONCE) return undefined;
    const usual = Math.min(pace.quantile, this.#typical.quantile);
    return Math.max(HEDGE_MS_MIN, HEDGE_FACTOR * usual * (rowCount + FIXED_ROWS));
  }

  /** After how long a call of so many rows is not waited for any more, by what its peer has taken so far; undefined while nothing is known. */
  silentMs(workerId: string, rowCount: number): number | undefined {
    const pace = this.#paces.get(workerId);
    if (pace === undefined || pace.count < PACE_SAMPLES_AT_ONCE) return undefined;
    return Math.max(SILENT_MS_MIN, SILENT_FACTOR * pace.quantile * (rowCount + FIXED_ROWS));
  }

  /** How many times as long as others it takes; 1 unless it is clearly slow. */
  slowness(workerId: string, now: number): number {
    const pace = this.#paces.get(workerId);
    if (pace === undefined) return 1;
    const times = this.#aged(pace, now) / this.#typical.mean;
    return times > SLOW_FACTOR ? Math.min(SLOW_FACTOR_MAX, times) : 1;
  }

  /** A mean that is slower than the others' fades: only a new call says how it is now. */
  #aged({ mean, atMs }: Pace, now: number): number {
    const typical = this.#typical.mean;
    if (!(mean > typical)) return mean;
    return typical + (mean - typical) * 0.5 ** ((now - atMs) / SLOW_HALF_LIFE_MS);
  }

  #measure(pace: Pace): void {
    const sorted = pace.samples.toSorted((a, b) => a - b);
    pace.quantile = at(sorted, Math.min(sorted.length - 1, Math.floor(sorted.length * HEDGE_QUANTILE)));
    const all = [...this.#paces.values()];
    this.#typical = {
      mean: lowerMedian(all.map(({ mean }) => mean)),
      quantile: lowerMedian(all.map(({ quantile }) => quantile)),
    };
  }
}

function lowerMedian(values: readonly number[]): number {
  return at(
    values.toSorted((a, b) => a - b),
    Math.floor((values.length - 1) / 2),
  );
}
