import { parseArgs } from "node:util";
import { at } from "@drover/core";
import { type Cuda, openCuda } from "@drover/cuda";
import { captured } from "../../libs/cuda/src/driver/captured.ts";
import type { DeviceAddress } from "../../libs/cuda/src/driver/cuda-device.ts";
import { i32, KernelLauncher, NULL } from "../../libs/cuda/src/kernels/kernel-launcher.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import type { DeviceLinear } from "../../libs/cuda/src/kernels/product.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { type TileFormat, tileExtent, tileMacros } from "../../libs/cuda/src/model/weight-format.ts";
import { medianMs } from "./card-time.ts";
import { RandomWeights } from "./random-weights.ts";
import { shapeConfig } from "./shape-config.ts";

/**
 * Times few_rows.cu in several shapes of its blocks on Scout's matrices of 4 bits, one row and eight (`--only few`), and experts of 32 and 64 rows (`--only many`): what tile-kernels.ts chooses among. A graph multiplies by the same matrix of each of eight
 * layers, which do not stay in the cache; us a product, and the share of the read bandwidth that its weights come at.
 */
const { values } = parseArgs({
  options: {
    library: { type: "string" },
    cache: { type: "string" },
    tiny: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const [LAYERS, REPLAYS, BANDWIDTH] = [8, 15, 4.39e12];
const FORMAT: TileFormat = { kind: "tiles", numbers: { bits: 4, blockSize: 128 } };
const BITS_A_WEIGHT = 4.25;
const config = shapeConfig("scout", LAYERS, values.tiny);
const libraries = values.library ? { driver: [values.library], compiler: [values.library] } : undefined;
const cuda: Cuda = await openCuda(0, libraries);
const { device } = cuda;
const stream = device.createStream();
const memory = new DeviceMemory(device);
const weights = new RandomWeights(config, device, memory, stream, FORMAT).make();
const launcher = new KernelLauncher(device, new KernelLibrary(cuda, values.cache), stream);

type Shape = Readonly<{ TILES: number; GROUPS: number; WARPS: number; BLOCKS: number; ACROSS: 0 | 1 }>;
/** Rows of each job, the matrices that they are of beginning with the shared expert; a dense product has no jobs. */
type Products = Readonly<{ name: string; linears: readonly DeviceLinear[]; jobs: readonly number[]; gated: boolean }>;

const rowsMax = 64;
const x = memory.allocate("activations", 4 * rowsMax * Math.max(config.expertWidth, config.hiddenSize));
const y = memory.allocate("activations", 4 * rowsMax * 2 * config.expertWidth);
device.fill(x, 0x2c, 4 * rowsMax * Math.max(config.expertWidth, config.hiddenSize), stream);

function put(words: Int32Array): DeviceAddress {
  const address = memory.allocate("activations", words.byteLength);
  device.write(address, new Uint8Array(words.buffer));
  return address;
}

async function time({ name, linears, jobs, gated }: Products, shape: Shape): Promise<void> {
  const rows = jobs.reduce((sum, count) => sum + count, 0);
  const { outSize, inSize, count } = at(linears, 0);
  const { tileCount, spanCount } = tileExtent(outSize, inSize);
  const macros = { ...tileMacros(FORMAT), TERMS: 2, ORDER: 0, GATED: gated ? 1 : 0, ...shape };
  const kernel = launcher.kernel("few_rows", "fewRows", macros);
  const isRouted = count > 1;
  const firstOf = (job: number) => jobs.slice(0, job).reduce((sum, count) => sum + count, 0);
  const list = jobs.flatMap((own, i) => [i === 0 ? count - 1 : i - 1, firstOf(i), own, 0]);
  const routed = isRouted ? [put(Int32Array.from(list)), put(Int32Array.of(jobs.length))] : [NULL, NULL];
  const order = isRouted ? put(Int32Array.from({ length: rows }, (_, i) => i)) : NULL;
  const blocks = Math.ceil(tileCount / shape.TILES);
  const grid = shape.ACROSS === 1 ? ([blocks, jobs.length, 1] as const) : ([jobs.length, blocks, 1] as const);
  const sizes = [rows, 0, outSize, spanCount, inSize, gated ? outSize / 2 : outSize].map(i32);
  const step = () => {
    for (const { table } of linears)
      launcher.launch(kernel, grid, 32 * shape.WARPS, [table, ...routed, order, NULL, x, y, ...sizes, { f32: 1 }]);
  };
  step();
  const graph = captured(device, stream, step);
  const ms = (await medianMs(device, stream, REPLAYS, () => device.launchGraph(graph, stream))) / LAYERS;
  device.destroyGraph(graph);
  const share = (100 * jobs.length * outSize * inSize * BITS_A_WEIGHT) / 8 / (ms / 1e3) / BANDWIDTH;
  console.log(
    `${name}, ${rows} rows, ${jobs.length} jobs: ${(1e3 * ms).toFixed(1)} us, ${share.toFixed(0)}%  ${JSON.stringify(shape)}`,
  );
}

const parts = weights.layers.flatMap(({ feedForward }) => (feedForward.kind === "moe" ? [feedForward] : []));
const experts = (which: "gateUp" | "down") => parts.flatMap((part) => (part.experts ? [part.experts[which]] : []));
const dense = {
  qkv: { name: "qkv", linears: weights.layers.map(({ qkv }) => qkv), gated: false },
  output: { name: "output", linears: weights.layers.map(({ output }) => output), gated: false },
};
const routed = {
  gateUp: { name: "gate and up", linears: experts("gateUp"), gated: true },
  down: { name: "down", linears: experts("down"), gated: false },
};
const shapes = (
  GROUPS: number,
  list: readonly (readonly [number, number, number])[],
  ACROSS: 0 | 1 = 0,
): readonly Shape[] => list.map(([TILES, WARPS, BLOCKS]) => ({ TILES, GROUPS, WARPS, BLOCKS, ACROSS }));
// Jobs of 64 and 32 rows that 16 experts have, as random ones do.
const many = [
  [8, 4, 3, 5, 4, 2, 6, 4, 3, 5, 4, 4, 5, 3, 2, 2],
  [4, 2, 1, 3, 2, 2, 1, 3, 2, 4, 2, 1, 2, 2, 1],
] as const;
const wide = [
  [2, 4, 4],
  [2, 8, 2],
  [4, 4, 2],
  [4, 4, 3],
  [4, 8, 1],
  [2, 4, 5],
  [1, 4, 6],
] as const;
const isWanted = (what: string) => values.only === undefined || values.only === what;
for (const ACROSS of [0, 1] as const)
  for (const shape of isWanted("many") ? shapes(2, wide, ACROSS) : [])
    for (const jobs of many) {
      if (shape.TILES > 1) await time({ ...routed.gateUp, jobs: [...jobs] }, shape);
      await time({ ...routed.down, jobs: [...jobs] }, shape);
    }
const few = [
  [2, 8, 2],
  [1, 8, 2],
  [1, 8, 3],
  [1, 8, 4],
  [1, 4, 5],
  [1, 4, 8],
  [2, 4, 4],
  [2, 4, 5],
  [1, 16, 1],
  [1, 16, 2],
] as const;
for (const shape of isWanted("few") ? shapes(1, few) : []) {
  await time({ ...dense.qkv, jobs: [1] }, shape);
  await time({ ...dense.output, jobs: [1] }, shape);
  await time({ ...routed.down, jobs: [1, 1] }, shape);
}
const gates = [
  [4, 8, 2],
  [2, 8, 2],
  [2, 4, 4],
  [2, 4, 5],
  [2, 16, 1],
  [4, 4, 3],
] as const;
for (const shape of isWanted("few") ? shapes(1, gates) : []) await time({ ...routed.gateUp, jobs: [1, 1] }, shape);
const eight = [8, 2, 1, 1, 1, 1, 1, 1] as const;
const more = [
  [2, 4, 4],
  [2, 8, 2],
  [1, 4, 5],
  [1, 4, 6],
  [1, 8, 3],
  [4, 4, 2],
  [4, 8, 1],
  [2, 16, 1],
] as const;
for (const shape of isWanted("few") ? shapes(2, more) : []) {
  await time({ ...routed.down, jobs: [...eight] }, shape);
  if (shape.TILES > 1) await time({ ...routed.gateUp, jobs: [...eight] }, shape);
  await time({ ...dense.qkv, jobs: [8] }, shape);
  await time({ ...dense.output, jobs: [8] }, shape);
}
memory.close();
device.close();
