import fc from "fast-check";
import { expect, test } from "vitest";
import { Attention, mergePartials } from "./attention.ts";
import { KvPool } from "./kv-pool.ts";
import { StoredSequence } from "./kv-storage.ts";

const dims = {
  hiddenSize: 8,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 4,
  expertWidth: 8,
  denseWidth: 8,
  expertCount: 2,
  vocabSize: 16,
  rmsNormEps: 1e-5,
  useQkNorm: false,
};
const geometry = { isGlobalLayer: [true, false], chunkRows: 4, segmentRows: 8, blockRows: 2, rowBytes: 64 };
const values = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * 2);

test("merging parts by log-sum-exp equals attention over all of them", () => {
  const scores = fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(scores, fc.nat(10), (list, at) => {
      const cut = 1 + (at % (list.length - 1));
      const part = (from: number, to: number) => {
        const peak = Math.max(...list.slice(from, to));
        const total = list.slice(from, to).reduce((sum, s) => sum + Math.exp(s - peak), 0);
        const out = list.slice(from, to).reduce((sum, s, i) => sum + (Math.exp(s - peak) / total) * (from + i), 0);
        return { out: Float32Array.of(out), lse: Float32Array.of(Math.log(total) + peak) };
      };
      const whole = part(0, list.length);
      const left = part(0, cut);
      const right = part(cut, list.length);
      mergePartials(left.out, left.lse, right.out, right.lse, 1);
      expect(left.out[0]).toBeCloseTo(whole.out[0] ?? 0, 3);
      expect(left.lse[0]).toBeCloseTo(whole.lse[0] ?? 0, 3);
    }),
  );
});

/** Softmax attention as written in a textbook, float64. */
function reference(q: Float32Array, k: Float32Array, v: Float32Array, row: number, first: number): number[] {
  const group = dims.headCount / dims.kvHeadCount;
  return Array.from({ length: dims.headCount * dims.headDim }, (_, column) => {
    const head = Math.floor(column / dims.headDim);
    const kvHead = Math.floor(head / group);
    const at = (x: Float32Array, r: number, h: number, j: number, heads: number) =>
      x[(r * heads + h) * dims.headDim + j] ?? 0;
    const weights = [];
    for (let t = first; t <= row; t++) {
      let dot = 0;
      for (let j = 0; j < dims.headDim; j++)
        dot += at(q, row, head, j, dims.headCount) * at(k, t, kvHead, j, dims.kvHeadCount);
      weights.push(Math.exp(dot / Math.sqrt(dims.headDim)));
    }
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.reduce(
      (sum, w, i) => sum + (w / total) * at(v, first + i, kvHead, column % dims.headDim, dims.kvHeadCount),
      0,
    );
  });
}

test.each([[1], [3], [7], [30]])(
  "global and chunked layers attend exactly to what they may, in steps of %i rows",
  (stepRows) => {
    const rows = 30;
    using attention = new Attention(dims, { threads: 1 });
    const pool = new KvPool(2 ** 20);
    const sequence = new StoredSequence(pool, geometry, dims);
    const [q, k, v] = [values(rows * 16, 1), values(rows * 8, 2), values(rows * 8, 3)];
    const attended = [new Float32Array(rows * 16), new Float32Array(rows * 16)];
    for (let done = 0; done < rows; ) {
      const count = Math.min(stepRows, rows - done);
      expect(sequence.reserve(count)).toBe(true);
      for (const [layer, isGlobal] of geometry.isGlobalLayer.entries()) {
        const out = new Float32Array(count * 16);
        sequence.append(layer, k, v, done, count);
        const own = q.subarray(done * 16, (done + count) * 16);
        attention.attend(
          sequence,
          layer,
          isGlobal,
          isGlobal ? geometry.segmentRows : geometry.chunkRows,
          own,
          out,
          0,
          count,
        );
        attended[layer]?.set(out, done * 16);
      }
      sequence.commit(count);
      expect(pool.bytesUsed).toBe(sequence.byteCount);
      done += count;
    }
    for (let row = 0; row < rows; row++) {
      for (const [layer, isGlobal] of geometry.isGlobalLayer.entries()) {
        const first = isGlobal ? 0 : Math.floor(row / geometry.chunkRows) * geometry.chunkRows;
        const expected = reference(q, k, v, row, first);
        const found = attended[layer]?.subarray(row * 16, (row + 1) * 16) ?? [];
        for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
      }
    }
    sequence.close();
    expect(pool.bytesUsed).toBe(0);
  },
);

test("a reservation that does not fit changes nothing", () => {
  const pool = new KvPool(40 * 64);
  const sequence = new StoredSequence(pool, geometry, dims);
  expect(sequence.reserve(4)).toBe(true);
  const before = pool.bytesUsed;
  expect(sequence.reserve(40)).toBe(false);
  expect(pool.bytesUsed).toBe(before);
  sequence.close();
  expect(pool.bytesUsed).toBe(0);
});
