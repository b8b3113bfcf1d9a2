import { assert, at } from "@drover/core";

/** Rows of one expert, and who can compute them. */
export type BalancedExpert = Readonly<{
  rowCount: number;
  /** Indices of its holders, the preferred first; at least one. */
  holders: readonly number[];
}>;

/** Sweeps over the shared experts; loads stand still after a few. */
const SWEEPS_MAX = 8;

/** Holders whose loads differ by no more rows are as good as even: to cut an expert's few rows in two reads its weights twice. */
const EVEN_ROWS = { few: 2, many: 1 } as const;

/** Rows a holder, on average, from which on they are many. */
const MANY_ROWS = 16;

/**
 * Says how many of each expert's rows each of its holders computes, so that the holder that is loaded most has as little as possible: water filling, one
 * shared expert after the other, until nothing moves. `ahead`, by holder: rows that it has before these. `speeds`: rows that a holder computes while one
 * of speed 1 computes one. Few rows stay together. Returns rows by expert and by place in its `holders`. Pure.
 */
export function balanceRows(
  experts: readonly BalancedExpert[],
  ahead: ArrayLike<number>,
  speeds: ArrayLike<number>,
): readonly Int32Array[] {
  const rowCount = experts.reduce((sum, expert) => sum + expert.rowCount, 0);
  const evenRows = rowCount < MANY_ROWS * ahead.length ? EVEN_ROWS.few : EVEN_ROWS.many;
  const filling = new Filling(Float64Array.from(ahead), speeds, evenRows);
  const rows = experts.map(({ holders }) => new Int32Array(holders.length));
  const shared: number[] = [];
  for (const [i, expert] of experts.entries()) {
    assert(expert.holders.length > 0, "an expert that is balanced has a holder");
    if (expert.holders.length > 1) shared.push(i);
    else filling.put(expert, at(rows, i), 0, expert.rowCount);
  }
  shared.sort((a, b) => at(experts, b).rowCount - at(experts, a).rowCount);
  for (const i of shared) filling.begin(at(experts, i), at(rows, i));
  for (let sweep = 0, moved = true; moved && sweep < SWEEPS_MAX; sweep++) {
    moved = false;
    for (const i of shared) if (filling.refill(at(experts, i), at(rows, i))) moved = true;
  }
  return rows;
}

/** Holders' rows while experts' rows are given out. */
class Filling {
  /** By holder, rows. */
  readonly #rows: Float64Array;
  readonly #speeds: ArrayLike<number>;

  readonly #evenRows: number;

  constructor(rows: Float64Array, speeds: ArrayLike<number>, evenRows: number) {
    this.#rows = rows;
    this.#speeds = speeds;
    this.#evenRows = evenRows;
  }

  /** Gives rows of an expert to the holder at `place`, or takes them back where they are negative. */
  put({ holders }: BalancedExpert, rows: Int32Array, place: number, count: number): void {
    const holder = at(holders, place);
    this.#rows[holder] = at(this.#rows, holder) + count;
    rows[place] = at(rows, place) + count;
  }

  /** Gives all of an expert's rows to the holder that would be done first. */
  begin(expert: BalancedExpert, rows: Int32Array): void {
    const { holders, rowCount } = expert;
    let best = 0;
    for (let place = 1; place < holders.length; place++)
      if (this.#doneWith(at(holders, place), rowCount) < this.#doneWith(at(holders, best), rowCount)) best = place;
    this.put(expert, rows, best, rowCount);
  }

  /** Gives an expert's rows out anew, so that its holders stand as level as these rows allow. False where they do already. */
  refill(expert: BalancedExpert, rows: Int32Array): boolean {
    if (this.#isLevel(expert, rows)) return false;
    const before = Int32Array.from(rows);
    for (let place = 0; place < rows.length; place++) this.put(expert, rows, place, -at(rows, place));
    const level = this.#levelOf(expert);
    let left = expert.rowCount;
    for (const [place, holder] of expert.holders.entries()) {
      const count = Math.min(left, Math.max(0, Math.floor(level * at(this.#speeds, holder) - at(this.#rows, holder))));
      this.put(expert, rows, place, count);
      left -= count;
    }
    // What rounding left over, a row to each of the lowest.
    for (; left > 0; left--) this.put(expert, rows, this.#lowest(expert), 1);
    return rows.some((count, place) => count !== at(before, place));
  }

  #doneWith(holder: number, count: number): number {
    return (at(this.#rows, holder) + count) / at(this.#speeds, holder);
  }

  #isLevel({ holders }: BalancedExpert, rows: Int32Array): boolean {
    let most = Number.NEGATIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (const [place, holder] of holders.entries()) {
      if (at(rows, place) > 0) most = Math.max(most, this.#doneWith(holder, 0));
      // What one that has less would have with what is moved to be worth it.
      least = Math.min(least, this.#doneWith(holder, this.#evenRows));
    }
    return most <= least;
  }

  /** How high the water stands over the holders once the expert's rows are poured in. */
  #levelOf({ holders, rowCount }: BalancedExpert): number {
    const lowestFirst = holders.toSorted((a, b) => this.#doneWith(a, 0) - this.#doneWith(b, 0));
    let rows = rowCount;
    let speed = 0;
    let level = 0;
    for (const holder of lowestFirst) {
      if (speed > 0 && level <= this.#doneWith(holder, 0)) break;
      rows += at(this.#rows, holder);
      speed += at(this.#speeds, holder);
      level = rows / speed;
    }
    return level;
  }

  #lowest({ holders }: BalancedExpert): number {
    let best = 0;
    for (let place = 1; place < holders.length; place++)
      if (this.#doneWith(at(holders, place), 1) < this.#doneWith(at(holders, best), 1)) best = place;
    return best;
  }
}
