import { HEDGE_ROWS_MAX, HEDGE_SHARE } from "./limits.ts";

/** Rows that may be asked for twice: a part of those that are asked for at all. Starts full. */
export class HedgeBudget {
  #rows = HEDGE_ROWS_MAX;

  /** So many rows are asked for. */
  earn(rowCount: number): void {
    this.#rows = Math.min(HEDGE_ROWS_MAX, this.#rows + rowCount * HEDGE_SHARE);
  }

  /** Whether so many may be asked for twice; then they are spent. */
  spend(rowCount: number): boolean {
    if (rowCount > this.#rows) return false;
    this.#rows -= rowCount;
    return true;
  }
}
