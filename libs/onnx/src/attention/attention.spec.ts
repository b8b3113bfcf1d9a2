import { HOST_KV_DTYPES, type HostKvDtype } from "@drover/core";
import { BlockHashes, KvCache, kvHeadBytes } from "@drover/kv";
import { mergePartials, SequenceStripes, StoredSequence } from "@drover/sequences";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ContextStore } from "../kv/context-store.ts";
import { ExtentStore } from "../kv/extent-store.ts";
import { Attention } from "./attention.ts";
import { DecodeAttention } from "./decode-attention.ts";
import { rowsContext, SequenceRows } from "./sequence-rows.ts";

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

type Geometry = typeof geometry;

const ofDtype = (shape: Geometry, kvDtype: HostKvDtype): Geometry => ({
  ...shape,
  rowBytes: 2 * dims.kvHeadCount * kvHeadBytes(kvDtype, dims.headDim),
});

/** Rows [a, K*d] as they are read again. */
function kept(rows: Float32Array, kvDtype: HostKvDtype): Float32Array {
  if (kvDtype === "f32") return rows;
  return rows.map((value, i) => {
    const start = i - (i % dims.headDim);
    const step = Math.max(...rows.subarray(start, start + dims.headDim).map(Math.abs)) / 127;
    return Math.round(value / step) * step;
  });
}

/** A cache of one worker with its rows. */
function openKv(shape: Geometry, kvDtype: HostKvDtype, bytesMax = 2 ** 20, prefixCache = true) {
  const store = new ExtentStore(shape, { ...dims, kvDtype });
  const cache = new KvCache(shape, store, { bytesMax, prefixCache });
  const seed = { modelFingerprint: "f", salt: "" };
  const open = (ids: readonly number[]) => {
    const hashes = BlockHashes.resume(seed, new Uint8Array(), Int32Array.from(ids));
    const handle = cache.open(hashes, { promptLength: Math.max(1, ids.length) });
    return new StoredSequence({ cache, handle, keep: true });
  };
  const context = rowsContext(shape, store);
  const rowsOf = (sequence: StoredSequence) => new SequenceRows(sequence, context);
  return { kvDtype, shape, store, cache, open, rowsOf };
}

/** Computes rows [sequence.length, rows) in steps and compares every layer's result with the reference. */
function runRows(
  sequence: StoredSequence,
  { kvDtype, cache, shape, rowsOf }: ReturnType<typeof openKv>,
  [q, k, v]: readonly [Float32Array, Float32Array, Float32Array],
  rows: number,
  stepRows: number,
): void {
  using attention = new Attention(dims, kvDtype, { threads: 1 });
  using decode = new DecodeAttention(dims, kvDtype, attention, { threads: 1 });
  const [keptK, keptV] = [kept(k, kvDtype), kept(v, kvDtype)];
  for (let done = sequence.length; done < rows; done = sequence.length) {
    const count = Math.min(stepRows, rows - done);
    expect(cache.reserve(sequence.handle, count)).toBe(true);
    const rowsNow = rowsOf(sequence);
    for (const [layer, isGlobal] of shape.isGlobalLayer.entries()) {
      const out = new Float32Array(count * 16);
      rowsNow.append(layer, k, v, done, count);
      const own = q.subarray(done * 16, (done + count) * 16);
      if (count > 1) attention.attend(rowsNow, layer, own, out, 0, count);
      else decode.attend([{ row: 0, runs: rowsNow.runsAt(layer, done) }], own, out);
      for (let i = 0; i < count; i++) {
        const row = done + i;
        const first = isGlobal ? 0 : Math.floor(row / shape.chunkRows) * shape.chunkRows;
        const found = out.subarray(i * 16, (i + 1) * 16);
        for (const [at, value] of reference(q, keptK, keptV, row, first).entries())
          expect(found[at]).toBeCloseTo(value, 4);
      }
    }
    sequence.commit(Int32Array.from({ length: count }, (_, i) => done + i));
  }
}

const qkv = (rows: number) => [values(rows * 16, 1), values(rows * 8, 2), values(rows * 8, 3)] as const;

/** Blocks of 64 tokens that cut chunks and segments evenly. */
const cached: Geometry = { ...geometry, chunkRows: 128, segmentRows: 256, blockRows: 64 };

describe.each(HOST_KV_DTYPES)("with KV kept as %s", (kvDtype) => {
  test.each([[1], [3], [7], [30]])(
    "global and chunked layers attend exactly to what they may, in steps of %i rows",
    (stepRows) => {
      const kv = openKv(ofDtype(geometry, kvDtype), kvDtype);
      const { cache, store, open } = kv;
      const sequence = open([]);
      runRows(sequence, kv, qkv(30), 30, stepRows);
      expect(store.byteCount).toBe(cache.bytes("global").allocated + cache.bytes("local").allocated);
      cache.close(sequence.handle, false);
      expect(store.byteCount).toBe(0);
    },
  );

  test.each([[1], [5], [200]])(
    "behind a cached prefix, and behind one of which only the global rows are left, attention is as without, in steps of %i rows",
    (stepRows) => {
      const kv = openKv(ofDtype(cached, kvDtype), kvDtype);
      const { cache, open } = kv;
      const ids = Array.from({ length: 420 }, (_, i) => i);
      const rows = qkv(420);
      const first = open(ids);
      runRows(first, kv, rows, 400, 64);
      const beside = open(ids.slice(0, 330));
      expect(beside.cachedCount).toBe(256);
      const behind = open(ids);
      expect(behind.cachedCount).toBe(384);
      runRows(behind, kv, rows, 420, stepRows);
      runRows(beside, kv, rows, 330, stepRows);
      runRows(first, kv, rows, 420, stepRows);
      for (const { handle } of [first, beside, behind]) cache.close(handle, true);
      cache.checkIntegrity();
      expect(cache.bytes("global").referenced + cache.bytes("local").referenced).toBe(0);
    },
  );

  test("many decoding rows with many runs each attend as each does alone", () => {
    const kv = openKv(ofDtype(cached, kvDtype), kvDtype);
    const { cache, open, rowsOf } = kv;
    const ids = Array.from({ length: 400 }, (_, i) => i);
    const rows = qkv(400);
    const first = open(ids);
    runRows(first, kv, rows, 399, 64);
    const sequences = [first, ...Array.from({ length: 6 }, () => open(ids))];
    for (const sequence of sequences.slice(1)) runRows(sequence, kv, rows, 399, 64);
    using attention = new Attention(dims, kvDtype, { threads: 1 });
    using decode = new DecodeAttention(dims, kvDtype, attention, { threads: 1 });
    for (const { handle } of sequences) expect(cache.reserve(handle, 1)).toBe(true);
    const steps = sequences.map(rowsOf);
    for (const step of steps) for (const layer of [0, 1]) step.append(layer, rows[1], rows[2], 399, 1);
    const q = new Float32Array(sequences.length * 16);
    for (const i of sequences.keys()) q.set(rows[0].subarray(399 * 16, 400 * 16), i * 16);
    for (const [layer, isGlobal] of cached.isGlobalLayer.entries()) {
      const out = new Float32Array(q.length);
      decode.attend(
        steps.map((step, row) => ({ row, runs: step.runsAt(layer, 399) })),
        q,
        out,
      );
      const expected = reference(rows[0], kept(rows[1], kvDtype), kept(rows[2], kvDtype), 399, isGlobal ? 0 : 384);
      for (const i of sequences.keys())
        for (const [at, value] of expected.entries()) expect(out[i * 16 + at]).toBeCloseTo(value, 4);
    }
  });

  test("a reservation that does not fit changes nothing", () => {
    const shape = ofDtype(geometry, kvDtype);
    const { cache, store, open } = openKv(shape, kvDtype, 40 * shape.rowBytes);
    const { handle } = open([]);
    expect(cache.reserve(handle, 4)).toBe(true);
    const before = store.byteCount;
    expect(cache.reserve(handle, 40)).toBe(false);
    expect(store.byteCount).toBe(before);
    cache.close(handle, false);
    expect(store.byteCount).toBe(0);
  });

  test("what a holder has of a sequence and what the worker has, merged, are attention over all of it", async () => {
    const shape = ofDtype(cached, kvDtype);
    const rows = qkv(600);
    const store = new ExtentStore(shape, { ...dims, kvDtype });
    const cache = new KvCache(shape, store, { bytesMax: 2 ** 20, prefixCache: true });
    const hashes = new BlockHashes({ modelFingerprint: "f", salt: "" });
    const handle = cache.open(hashes, { promptLength: 600, firstRow: 0 });
    using holder = new ContextStore(dims, shape, { threads: 1, bytesMax: 2 ** 20, kvDtype });
    const stripes = new SequenceStripes({
      sequenceId: "s",
      first: 0,
      bytesMax: 2 ** 20,
      segmentBytes: 256 * shape.rowBytes,
    });
    const sequence = new StoredSequence({ cache, handle, keep: false, striped: { stripes } });
    using attention = new Attention(dims, kvDtype, { threads: 1 });
    expect(cache.reserve(handle, 600)).toBe(true);
    const step = new SequenceRows(sequence, rowsContext(shape, store));
    step.append(0, rows[1], rows[2], 0, 600);
    sequence.commit(new Int32Array(590));
    for (const segment of [1, 0]) {
      const [part] = cache.parts(handle, "global", segment);
      holder.put({
        sequenceId: "s",
        segment,
        rowCount: 256,
        dtype: kvDtype,
        layers: await store.read(part?.extent ?? 0),
      });
    }
    expect(holder.byteCount).toBe(512 * shape.rowBytes);
    const q = rows[0].subarray(590 * 16, 600 * 16);
    const before = (endSegment: number, segmentCount: number) =>
      holder.attend({
        layer: 0,
        queries: [{ sequenceId: "s", endSegment, segmentCount, segments: [], rowCount: 10 }],
        q_aQ: q,
      });
    const remote = before(2, 2);
    const own = attention.attendBefore(q.subarray(0, 16), 1, step.runsAt(0, 590).slice(0, 1));
    mergePartials(
      own.attended_aQ,
      own.lse_aH,
      remote.attended_aQ.subarray(0, 16),
      remote.lse_aH.subarray(0, 4),
      dims.headDim,
    );
    for (const [at, value] of reference(rows[0], kept(rows[1], kvDtype), kept(rows[2], kvDtype), 590, 0).entries())
      expect(own.attended_aQ[at]).toBeCloseTo(value, 4);
    const other = {
      sequenceId: "t",
      segment: 0,
      rowCount: 1,
      dtype: kvDtype === "f32" ? "int8" : "f32",
      layers: [],
    } as const;
    expect(() => holder.put(other)).toThrow("are kept here as");
    expect(() => before(2, 1)).toThrow("not held");
    expect(() => before(3, 3)).toThrow("not held");
    holder.drop("s");
    expect(holder.byteCount).toBe(0);
    cache.close(handle, false);
  });
});
