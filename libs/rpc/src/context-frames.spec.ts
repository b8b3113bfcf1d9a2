import fc from "fast-check";
import { expect, test } from "vitest";
import { attendFrames, putFrames, SegmentAssembly } from "./context-frames.ts";
import { FRAME_BYTES_MAX } from "./limits.ts";

test("a call's frames are its rows in their order, each row with its own sequence, and none is too large", () => {
  const rowCounts = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(rowCounts, fc.constantFrom(64, 256, 1280), (counts, width) => {
      const queries = counts.map((rowCount, i) => ({
        sequenceId: `s${i}`,
        endSegment: i,
        segmentCount: 1,
        segments: [],
        rowCount,
      }));
      const rows = counts.reduce((sum, count) => sum + count, 0);
      const frames = attendFrames({ layer: 0, queries, q_aQ: new Float32Array(rows * width) });
      const owners = (list: readonly { sequenceId: string; rowCount: number }[]) =>
        list.flatMap(({ sequenceId, rowCount }) => new Array<string>(rowCount).fill(sequenceId));
      expect(frames.flatMap((frame) => owners(frame.queries))).toEqual(owners(queries));
      let next = 0;
      for (const { from, to, queries: own } of frames) {
        expect(from).toBe(next);
        expect(own.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(to - from);
        expect((to - from) * width * 4).toBeLessThanOrEqual(FRAME_BYTES_MAX);
        next = to;
      }
      expect(next).toBe(rows);
    }),
    { numRuns: 50 },
  );
});

test("a segment is whole with its last frame, whatever the frames' order, and not before", () => {
  const rowBytes = 384;
  const rowCount = 1500;
  const length = rowCount * rowBytes;
  const layers = [1, 2].map((seed) => ({
    k: Uint8Array.from({ length }, (_, i) => i * seed),
    v: Uint8Array.from({ length }, (_, i) => i - seed),
  }));
  const frames = [...putFrames({ sequenceId: "s", segment: 2, rowCount, dtype: "int8", layers })];
  const [first] = frames;
  if (first === undefined) throw new Error("a segment has frames");
  expect(frames.length).toBeGreaterThan(4);
  const kept = { dtype: "int8", layerCount: layers.length, rowBytes } as const;
  const assembly = new SegmentAssembly(first, kept);
  expect(() => new SegmentAssembly({ ...first, dtype: "f32" }, kept)).toThrow("are f32");
  const whole = frames.reverse().map((frame) => assembly.add(frame));
  expect(whole.slice(0, -1).every((each) => each === undefined)).toBe(true);
  expect(whole.at(-1)?.layers).toEqual(layers);
  expect(() => assembly.add({ ...first, layer: 2 })).toThrow("outside");
});
