import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { at } from "@drover/core";
import { seededRandom, tinyModel } from "@drover/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { openCuda } from "../driver/open-cuda.ts";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { CardExperts } from "./card-experts.ts";

describe.skipIf(!hasCpuCard)("experts on a card (a CPU in its place; needs g++)", async () => {
  if (!hasCpuCard) return;
  const folder = await tinyModel(7);
  const config = await loadModelConfig(folder.path);
  const checkpoint = await openCheckpoint(folder.path);
  const source = new TextWeights(checkpoint, config);
  const cuda = await openCuda(0, cpuCardLibraries());
  const free = cuda.device.freeBytes;
  const { hiddenSize: d, expertWidth: f } = config;
  const layer = at(config.moeLayers, 0);
  afterAll(async () => {
    cuda.device.close();
    await checkpoint[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const open = () =>
    CardExperts.open(
      cuda,
      config,
      { rows: new StoredTextRows(source), quantization: null },
      { precision: "f32", cacheFolder: cpuCardKernels() },
    );
  const random = seededRandom(5);
  const rows = (count: number) => Float32Array.from({ length: count * d }, () => 2 * random() - 1);

  /** SwiGLU of rows of one expert, in doubles. */
  async function expected(expert: number, z: Float32Array): Promise<number[]> {
    const { gateUp, down } = await source.expert(layer, expert);
    const dot = (m: Float32Array, row: number, x: ArrayLike<number>, from: number, width: number) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += at(m, row * width + i) * at(x, from + i);
      return sum;
    };
    return Array.from({ length: z.length / d }, (_, row) => {
      const hidden = Array.from({ length: f }, (_, i) => {
        const gate = dot(gateUp, i, z, row * d, d);
        return (gate / (1 + Math.exp(-gate))) * dot(gateUp, f + i, z, row * d, d);
      });
      return Array.from({ length: d }, (_, i) => dot(down, i, hidden, 0, f));
    }).flat();
  }

  const error = (found: Float32Array, wanted: readonly number[]) =>
    Math.max(...wanted.map((value, i) => Math.abs(value - at(found, i))));

  test("calls of one layer are computed together and each gets its own rows", async () => {
    using experts = await open();
    for (const expert of [0, 2, 3]) await experts.load(layer, expert);
    expect(experts.loaded()).toEqual([{ layer, experts: [0, 2, 3] }]);
    expect(experts.has(layer, 1)).toBe(false);
    const [one, two] = [rows(9), rows(4)];
    const [y1, y2] = [new Float32Array(9 * d), new Float32Array(4 * d)];
    const began = cuda.device.freeBytes;
    await Promise.all([experts.run(layer, [0, 2], [4, 5], one, y1), experts.run(layer, [0, 3], [1, 3], two, y2)]);
    expect(cuda.device.freeBytes).toBe(began);
    const most = 1e-5;
    expect(error(y1.subarray(0, 4 * d), await expected(0, one.subarray(0, 4 * d)))).toBeLessThan(most);
    expect(error(y1.subarray(4 * d), await expected(2, one.subarray(4 * d)))).toBeLessThan(most);
    expect(error(y2.subarray(0, d), await expected(0, two.subarray(0, d)))).toBeLessThan(most);
    expect(error(y2.subarray(d), await expected(3, two.subarray(d)))).toBeLessThan(most);
  });

  test("more rows than fit at once are answered all the same, while experts come and go", async () => {
    using experts = await open();
    await experts.load(layer, 1);
    const [z, y] = [rows(700), new Float32Array(700 * d)];
    const running = experts.run(layer, [1], [700], z, y);
    const held = experts.memory.used("weights");
    experts.unload(layer, 1);
    expect(experts.has(layer, 1)).toBe(false);
    // Rows that were asked for before it went are computed with it: its memory stays till then.
    expect(experts.memory.used("weights")).toBe(held);
    await experts.load(layer, 2);
    await running;
    expect(error(y, await expected(1, z))).toBeLessThan(1e-5);
    expect(experts.memory.used("weights")).toBe(held);
    await experts.load(layer, 1);
    await experts.run(layer, [1], [3], z, y);
    expect(error(y.subarray(0, 3 * d), await expected(1, z.subarray(0, 3 * d)))).toBeLessThan(1e-5);
  });

  test("nothing stays on the card", () => expect(cuda.device.freeBytes).toBe(free));
});
