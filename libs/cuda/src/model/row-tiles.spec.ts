import fc from "fast-check";
import { expect, test } from "vitest";
import { rowTiles } from "./row-tiles.ts";

const steps = fc.record({
  chunkSize: fc.integer({ min: 1, max: 64 }),
  tileRows: fc.integer({ min: 1, max: 128 }),
  runs: fc.array(fc.record({ count: fc.integer({ min: 1, max: 200 }), position: fc.nat(500) }), { maxLength: 8 }),
});

test("every row of a long run is in one tile, whose rows are of one run and one chunk; all others are in spans of no tiles", () => {
  fc.assert(
    fc.property(steps, ({ chunkSize, tileRows, runs }) => {
      let end = 0;
      const laid = runs.map((run) => {
        end += run.count;
        return { ...run, first: end - run.count };
      });
      const { tiles, spans } = rowTiles(laid, chunkSize, tileRows);
      const rows = laid.flatMap(({ count, position, first }, run) =>
        Array.from({ length: count }, (_, i) => ({
          row: first + i,
          run,
          chunk: Math.floor((position + i) / chunkSize),
        })),
      );
      const tiled = [...tiles].flatMap((tile) => {
        const own = rows.slice(tile >> 8, (tile >> 8) + (tile & 255));
        expect(own.length).toBeLessThanOrEqual(tileRows);
        expect(new Set(own.map(({ run, chunk }) => `${run} ${chunk}`)).size).toBe(1);
        return own.map(({ row }) => row);
      });
      const inSpans = (isTiled: boolean) =>
        spans.flatMap((span) =>
          span.isTiled === isTiled ? Array.from({ length: span.count }, (_, i) => span.first + i) : [],
        );
      expect(tiled.sort((a, b) => a - b)).toEqual(inSpans(true));
      expect([...inSpans(true), ...inSpans(false)].sort((a, b) => a - b)).toEqual(rows.map(({ row }) => row));
    }),
    { numRuns: 50 },
  );
});

test("without tiles there are none, and no row is in one", () => {
  expect(rowTiles([{ first: 0, count: 100, position: 0 }], 64, 0)).toEqual({
    tiles: new Int32Array(),
    spans: [{ first: 0, count: 100, isTiled: false }],
  });
});
