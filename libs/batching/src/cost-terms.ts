/**
 * What a step's time is made of. Each term has a coefficient in milliseconds for one unit of it:
 *
 * - `step`: one for each step, whatever is in it
 * - `row`: rows: every matrix product but attention's
 * - `globalPair`: pairs of a row and a position that it attends to in global layers: rows x context
 * - `globalRead`: rows of keys and values that an entry's global layers read, however many rows attend to them
 * - `localPair`: pairs in chunked layers, whose context begins at the last chunk boundary
 * - `prompt`, `decode`: entries of each kind: the calls that an entry makes for itself
 */
const COST_TERMS = ["step", "row", "globalPair", "globalRead", "localPair", "prompt", "decode"] as const;

/** One number for each of COST_TERMS. */
export type CostTerms = readonly number[];

/** One sequence's part of a step: `rowCount` new rows behind `position` committed ones. */
export type EntryShape = Readonly<{ position: number; rowCount: number }>;

/** The terms of one entry, without the step's own. */
export function entryTerms({ position, rowCount }: EntryShape, chunkRows: number): CostTerms {
  const globalPairs = pairs(position, rowCount);
  return [
    0,
    rowCount,
    globalPairs,
    position + rowCount,
    localPairs(position, rowCount, chunkRows),
    rowCount > 1 ? 1 : 0,
    rowCount > 1 ? 0 : 1,
  ];
}

/** The terms of a whole step. */
export function stepTerms(entries: readonly EntryShape[], chunkRows: number): CostTerms {
  const sum = COST_TERMS.map(() => 0);
  for (const entry of entries) {
    for (const [i, amount] of entryTerms(entry, chunkRows).entries()) sum[i] = (sum[i] ?? 0) + amount;
  }
  sum[0] = 1;
  return sum;
}

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Positions that rows [first, first + rowCount) see, themselves included. */
function pairs(first: number, rowCount: number): number {
  return rowCount * first + (rowCount * (rowCount + 1)) / 2;
}

/** The same where a row sees only its own chunk. */
function localPairs(first: number, rowCount: number, chunkRows: number): number {
  const head = first % chunkRows;
  const inFirst = Math.min(rowCount, chunkRows - head);
  const wholeChunks = Math.floor((rowCount - inFirst) / chunkRows);
  const tail = rowCount - inFirst - wholeChunks * chunkRows;
  return pairs(head, inFirst) + wholeChunks * pairs(0, chunkRows) + pairs(0, tail);
}
