import { assert } from "@drover/core";
import { afterAll, describe, expect, test } from "vitest";
import { CachedTensors } from "../bound/bound-session.ts";
import { NativeRuntime } from "../bound/native-runtime.ts";
import { GraphBuilder } from "../graphs/graph-builder.ts";
import type { LayerRows } from "../kv/extent-store.ts";
import { KvLayout } from "../kv/kv-rows.ts";
import { Attention } from "./attention.ts";
import { CachedAttention } from "./cached-attention.ts";
import { headViews } from "./head-views.ts";

const dims = {
  hiddenSize: 8,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 8,
  expertWidth: 8,
  denseWidth: 8,
  expertCount: 2,
  vocabSize: 16,
  rmsNormEps: 1e-5,
  useQkNorm: false,
};
const layout = new KvLayout({ ...dims, kvDtype: "f32" });
const kvSize = dims.kvHeadCount * dims.headDim;
const qSize = dims.headCount * dims.headDim;
const values = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * 2);

const runtime = await NativeRuntime.load();
assert(runtime !== undefined, "koffi is installed where tests run");
const inPlace = new CachedAttention(dims, new CachedTensors(runtime), { threads: 1 });
const byViews = new Attention(dims, "f32", { threads: 1 });
afterAll(() => {
  inPlace[Symbol.dispose]();
  byViews[Symbol.dispose]();
});

/** Cached rows, with others where there is room for more. */
function scene(capacity: number, seed: number): LayerRows {
  const rows = { k: layout.allocate(capacity), v: layout.allocate(capacity) };
  rows.k.rows.set(values(rows.k.rows.length, seed));
  rows.v.rows.set(values(rows.v.rows.length, seed + 1));
  return rows;
}

describe("attention in place", () => {
  test.each([[[0]], [[1, 7]], [[130, 0, 64]], [Array.from({ length: 43 }, (_, i) => (i * 17) % 60)]])(
    "stores each row's key and value behind those of its sequence, and is attention over all of them, %j",
    (befores) => {
      const count = befores.length;
      const [q, k, v] = [values(count * qSize, 3), values(count * kvSize, 4), values(count * kvSize, 5)];
      const sequences = befores.map((before, i) => ({ before, rows: scene(before + 1 + (i % 5), i) }));
      const expected = new Float32Array(count * qSize);
      const stored = sequences.map(({ before, rows }, row) => {
        const capacity = rows.k.rows.length / kvSize;
        const whole = {
          k: layout.over(rows.k.bytes.slice(), capacity),
          v: layout.over(rows.v.bytes.slice(), capacity),
        };
        for (let head = 0; head < dims.kvHeadCount; head++) {
          const from = row * kvSize + head * dims.headDim;
          layout.write(whole.k, head * capacity + before, k, from);
          layout.write(whole.v, head * capacity + before, v, from);
        }
        const views = headViews(layout, whole, capacity, 0, before + 1);
        expected.set(byViews.attendRuns(q.subarray(row * qSize, (row + 1) * qSize), 1, [views]), row * qSize);
        return whole;
      });
      const found = new Float32Array(count * qSize);
      const rows = sequences.map((sequence, row) => ({
        row,
        rows: { countBefore: () => sequence.before, cachedRows: () => sequence.rows },
      }));
      inPlace.attend(rows, 0, "local", [q, k, v], found);
      for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
      for (const [i, { rows: kept }] of sequences.entries()) expect(kept).toEqual(stored[i]);
    },
  );
});

test("a graph that ONNX Runtime refuses is refused by its name", () => {
  const b = new GraphBuilder();
  b.output("y", "f32", [1], b.node("NoSuchOperator", [b.input("x", "f32", [1])]));
  const graph = b.build("inline");
  expect(() => runtime.createSession("odd", graph, { threads: 1 })).toThrow("the graph odd could not be loaded");
});
