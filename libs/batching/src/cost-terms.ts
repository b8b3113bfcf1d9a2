/**
 * What a step's time is made of. Each term has a coefficient in milliseconds for one unit of it:
 *
 * - `step`: one for each step, whatever is in it
 * - `row`: rows: every matrix product but attention's
 * - `globalPair`: pairs of a row and a position that it attends to in global layers: rows x context
 * - `globalRead`: rows of keys and values that an entry's global layers read, however many rows attend to them
 * - `localPair`: pairs in chunked layers, whose context begins at the last chunk boundary
 * - `prompt`, `decode`: entries of several rows, and of one: the calls that an entry makes for itself
 * - `expert`: experts of a layer that a step's rows come to, and whose weights it therefore reads: few more for many rows than for some dozens. Zero
 *   where rows wait for their products and not for weights
 */
export const COST_TERMS = [
  "step",
  "row",
  "globalPair",
  "globalRead",
  "localPair",
  "prompt",
  "decode",
  "expert",
] as const;

/** One number for each term: how much of it a step has, or the milliseconds of one unit. */
export type CostTerms = Readonly<Record<(typeof COST_TERMS)[number], number>>;

/** Rows of one sequence in a step: `rowCount` new ones behind `position` committed ones. */
export type EntryShape = Readonly<{ position: number; rowCount: number }>;

/** The terms of one entry, without the step's own: the step itself, and the experts that all of its rows come to. */
export function entryTerms({ position, rowCount }: EntryShape, chunkRows: number): CostTerms {
  return {
    step: 0,
    row: rowCount,
    globalPair: pairs(position, rowCount),
    globalRead: position + rowCount,
    localPair: localPairs(position, rowCount, chunkRows),
    prompt: rowCount > 1 ? 1 : 0,
    decode: rowCount > 1 ? 0 : 1,
    expert: 0,
  };
}

/** How many of so many experts the rows of a step come to, each row to any of them. */
export function expertsReached(expertCount: number, rowCount: number): number {
  return expertCount === 0 ? 0 : expertCount * (1 - (1 - 1 / expertCount) ** rowCount);
}

/** The terms of a whole step on a device that waits for the weights of so many experts of a layer; 0: it does not. */
export function stepTerms(entries: readonly EntryShape[], chunkRows: number, expertCount = 0): CostTerms {
  const sum = { step: 1, row: 0, globalPair: 0, globalRead: 0, localPair: 0, prompt: 0, decode: 0, expert: 0 };
  for (const entry of entries) {
    const terms = entryTerms(entry, chunkRows);
    sum.row += terms.row;
    sum.globalPair += terms.globalPair;
    sum.globalRead += terms.globalRead;
    sum.localPair += terms.localPair;
    sum.prompt += terms.prompt;
    sum.decode += terms.decode;
  }
  sum.expert = expertsReached(expertCount, sum.row);
  return sum;
}

/** Something for each term, made of its name. */
export function termsOf<T>(make: (term: keyof CostTerms) => T): Readonly<Record<keyof CostTerms, T>> {
  return {
    step: make("step"),
    row: make("row"),
    globalPair: make("globalPair"),
    globalRead: make("globalRead"),
    localPair: make("localPair"),
    prompt: make("prompt"),
    decode: make("decode"),
    expert: make("expert"),
  };
}

/** The milliseconds that so much of each term takes. */
export function costOf(amounts: CostTerms, coefficients: CostTerms): number {
  return (
    amounts.step * coefficients.step +
    amounts.row * coefficients.row +
    amounts.globalPair * coefficients.globalPair +
    amounts.globalRead * coefficients.globalRead +
    amounts.localPair * coefficients.localPair +
    amounts.prompt * coefficients.prompt +
    amounts.decode * coefficients.decode +
    amounts.expert * coefficients.expert
  );
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
