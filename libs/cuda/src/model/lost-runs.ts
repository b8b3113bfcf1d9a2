import type { RowRun } from "./step-rows.ts";

/** The runs of a step of which a row was answered by nobody: what they compute says nothing, and their rows are not sent again. */
export class LostRuns {
  /** Of each row of the step its run. */
  readonly #runOf: Int32Array;
  readonly #lost = new Set<number>();

  constructor(runs: readonly Pick<RowRun, "tokenIds">[]) {
    this.#runOf = Int32Array.from(runs.flatMap(({ tokenIds }, run) => Array.from(tokenIds, () => run)));
  }

  /** Places of the lost runs. */
  get runs(): ReadonlySet<number> {
    return this.#lost;
  }

  get rowCount(): number {
    return this.#runOf.length;
  }

  /** Whether a row is of a lost run. */
  has(row: number): boolean {
    return this.#lost.size > 0 && this.#lost.has(this.#runOf[row] ?? -1);
  }

  add(rows: readonly number[]): void {
    for (const row of rows) this.#lost.add(this.#runOf[row] ?? -1);
  }
}
