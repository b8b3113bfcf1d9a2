import { at } from "@drover/core";

/** The order in which a step's rows go to their experts: rows sorted by expert, stable. */
export type Dispatch = Readonly<{
  /** `order[i]` is the step's row that stands at place i after sorting: all that have an expert. */
  order: Int32Array;
  /** Experts that have rows, ascending, and how many each has. */
  experts: Int32Array;
  counts: Int32Array;
}>;

/**
 * Sorts rows by expert in O(a + E). `expert_a` [a] with values below expertCount; rows of negative ones are left out. Source: MetaShuffling's token
 * order, a counting sort.
 */
export function dispatchByExpert(expert_a: Int32Array, expertCount: number): Dispatch {
  // One row, which is how most steps of a single stream are, has nothing to be sorted.
  if (expert_a.length === 1 && at(expert_a, 0) >= 0)
    return { order: new Int32Array(1), experts: expert_a.slice(), counts: Int32Array.of(1) };
  const starts = new Int32Array(expertCount + 1);
  let rowCount = 0;
  for (const e of expert_a) {
    if (e < 0) continue;
    starts[e + 1] = (starts[e + 1] ?? 0) + 1;
    rowCount += 1;
  }
  const experts: number[] = [];
  const counts: number[] = [];
  for (let e = 0; e < expertCount; e++) {
    const count = starts[e + 1] ?? 0;
    if (count > 0) {
      experts.push(e);
      counts.push(count);
    }
    starts[e + 1] = (starts[e] ?? 0) + count;
  }
  const order = new Int32Array(rowCount);
  for (let row = 0; row < expert_a.length; row++) {
    const e = at(expert_a, row);
    if (e < 0) continue;
    const place = starts[e] ?? 0;
    order[place] = row;
    starts[e] = place + 1;
  }
  return { order, experts: Int32Array.from(experts), counts: Int32Array.from(counts) };
}

/** Copies rows of `rows_aD` to `sorted`, [rows, D], in the order in which `rows` names them. */
export function gatherRows(rows_aD: Float32Array, rows: Int32Array, width: number, sorted: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    sorted.set(rows_aD.subarray(row * width, (row + 1) * width), i * width);
  }
}

/** The inverse of {@link gatherRows}: writes sorted rows back to their own places. */
export function scatterRows(sorted: Float32Array, rows: Int32Array, width: number, rows_aD: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    rows_aD.set(sorted.subarray(i * width, (i + 1) * width), row * width);
  }
}

/** A view of the named rows, where each follows the one before it: then nothing need be gathered. */
export function consecutiveRows(rows_aD: Float32Array, rows: Int32Array, width: number): Float32Array | undefined {
  const first = at(rows, 0);
  for (let i = 1; i < rows.length; i++) if (rows[i] !== first + i) return undefined;
  return rows_aD.subarray(first * width, (first + rows.length) * width);
}
