import type { RowSpan } from "../kernels/attention-kernels.ts";

/** A run's rows of a step: `count` from row `first` on, the first at `position`. */
type RunRows = Readonly<{ first: number; count: number; position: number }>;

/** Rows of a run that are at least worth a tile: fewer read their keys and values each by itself. */
const TILED_ROWS_MIN = 8;
/** What a tile's number of rows is kept below. */
const COUNTS = 256;

/**
 * Tiles of neighbouring rows whose positions are in one chunk, at most `tileRows` of them, as prompt_attention.cu has them: the first row times 256 and how many; those whose rows
 * see the most positions come first. And the step's rows in spans of those that tiles have, and those that none has. `tileRows` 0: there are no tiles.
 */
export function rowTiles(
  runs: readonly RunRows[],
  chunkSize: number,
  tileRows: number,
): Readonly<{ tiles: Int32Array; spans: readonly RowSpan[] }> {
  const cut: { code: number; position: number }[] = [];
  const spans: { first: number; count: number; isTiled: boolean }[] = [];
  for (const { first, count, position } of runs) {
    const isTiled = tileRows > 0 && count >= TILED_ROWS_MIN;
    const last = spans.at(-1);
    if (last?.isTiled === isTiled) last.count += count;
    else spans.push({ first, count, isTiled });
    for (let done = 0; isTiled && done < count; ) {
      const rows = Math.min(tileRows, count - done, chunkSize - ((position + done) % chunkSize));
      cut.push({ code: (first + done) * COUNTS + rows, position: position + done });
      done += rows;
    }
  }
  cut.sort((a, b) => b.position - a.position);
  return { tiles: Int32Array.from(cut, ({ code }) => code), spans };
}
