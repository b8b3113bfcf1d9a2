import { parseArgs } from "node:util";
import { at } from "@drover/core";
import { type Cuda, openCuda } from "@drover/cuda";
import { captured } from "../../libs/cuda/src/driver/captured.ts";
import { type GroupShape, groupBytes, groupShape, stagesOf } from "../../libs/cuda/src/kernels/group-shape.ts";
import { i32, KernelLauncher, NULL } from "../../libs/cuda/src/kernels/kernel-launcher.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import type { DeviceLinear } from "../../libs/cuda/src/kernels/product.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { type TileFormat, tileExtent, tileMacros } from "../../libs/cuda/src/model/weight-format.ts";
import { medianMs } from "./card-time.ts";
import { RandomWeights } from "./random-weights.ts";
import { shapeConfig } from "./shape-config.ts";

/**
 * Times group_rows.cu in several shapes of its blocks and clusters on Scout's dense matrices, 32 and 64 rows: what group-shape.ts chooses among. A graph multiplies by the same matrix of
 * each of eight layers, which do not stay in the cache; us a product, and the share of the read bandwidth that its weights come at.
 */
const { values } = parseArgs({
  options: {
    library: { type: "string" },
    cache: { type: "string" },
    bits: { type: "string", default: "4" },
    rows: { type: "string", default: "64,32" },
    tiny: { type: "boolean", default: false },
  },
});
const [LAYERS, REPLAYS, BANDWIDTH, MULTIPROCESSORS] = [8, 15, 4.39e12, 132];
const bits = values.bits === "8" ? 8 : 4;
const FORMAT: TileFormat = { kind: "tiles", numbers: { bits, blockSize: 128 } };
const config = shapeConfig("scout", LAYERS, values.tiny);
const libraries = values.library ? { driver: [values.library], compiler: [values.library] } : undefined;
const cuda: Cuda = await openCuda(0, libraries);
const { device } = cuda;
const stream = device.createStream();
const memory = new DeviceMemory(device);
const weights = new RandomWeights(config, device, memory, stream, FORMAT).make();
const launcher = new KernelLauncher(device, new KernelLibrary(cuda, values.cache), stream);
const rowsMax = 64;
const inputBytes = 4 * rowsMax * Math.max(config.expertWidth, config.hiddenSize);
const x = memory.allocate("activations", inputBytes);
const y = memory.allocate("activations", 4 * rowsMax * 2 * config.expertWidth);
device.fill(x, 0x2c, inputBytes, stream);

type Products = Readonly<{ name: string; linears: readonly DeviceLinear[]; gated: boolean }>;

async function time({ name, linears, gated }: Products, rows: number, shape: GroupShape, note: string): Promise<void> {
  const { outSize, inSize } = at(linears, 0);
  const { tileCount, spanCount } = tileExtent(outSize, inSize);
  const macros = { ...tileMacros(FORMAT), TERMS: 2, ORDER: 1, GATED: gated ? 1 : 0, ...shape };
  const kernel = launcher.kernel("group_rows", "groupRows", macros);
  const { threads, sharedBytes } = groupBytes(shape, bits);
  const blocks = Math.ceil(tileCount / (4 * shape.TILES * shape.OUT_GROUPS)) * shape.SPLIT;
  const sizes = [rows, 0, outSize, spanCount, inSize, gated ? outSize / 2 : outSize].map(i32);
  const step = () => {
    for (const { table } of linears) {
      const args = [table, NULL, NULL, NULL, NULL, x, y, ...sizes, { f32: 1 }];
      launcher.launch(kernel, [blocks, 1, 1], threads, args, sharedBytes);
    }
  };
  step();
  const graph = captured(device, stream, step);
  const ms = (await medianMs(device, stream, REPLAYS, () => device.launchGraph(graph, stream))) / LAYERS;
  device.destroyGraph(graph);
  const share = (100 * outSize * inSize * (bits + 0.25)) / 8 / (ms / 1e3) / BANDWIDTH;
  const { SLABS, TILES, OUT_GROUPS, STAGES, SPLIT } = shape;
  console.log(
    `${name}, ${rows} rows: ${(1e3 * ms).toFixed(1)} us, ${share.toFixed(0)}%, ${blocks} blocks  ${JSON.stringify({ SLABS, TILES, OUT_GROUPS, STAGES, SPLIT })}${note}`,
  );
}

/** Shapes whose blocks all run at once. */
function shapes(gated: boolean, outSize: number, inSize: number): readonly GroupShape[] {
  const { tileCount, spanCount } = tileExtent(outSize, inSize);
  const forms = [
    { ROWS: 64, SLABS: 2, TILES: 1, OUT_GROUPS: 1 },
    { ROWS: 64, SLABS: 2, TILES: 2, OUT_GROUPS: 1 },
    { ROWS: 64, SLABS: 2, TILES: 1, OUT_GROUPS: 2 },
    { ROWS: 64, SLABS: 2, TILES: 2, OUT_GROUPS: 2 },
  ] as const;
  return forms.flatMap((form) => {
    if (gated && form.TILES === 1) return [];
    const across = Math.ceil(tileCount / (4 * form.TILES * form.OUT_GROUPS));
    const splits = [1, 2, 3, 4, 5, 6, 8].filter((split) => split <= spanCount && split * across <= MULTIPROCESSORS);
    const STAGES = stagesOf(form, bits);
    return splits.filter((split) => split * across >= 64).map((SPLIT) => ({ ...form, STAGES, SPLIT }));
  });
}

const shared = weights.layers.flatMap(({ feedForward }) => (feedForward.kind === "moe" ? [feedForward.shared] : []));
const products: readonly Products[] = [
  { name: "qkv", linears: weights.layers.map(({ qkv }) => qkv), gated: false },
  { name: "output", linears: weights.layers.map(({ output }) => output), gated: false },
  { name: "shared gate and up", linears: shared.map(({ gateUp }) => gateUp), gated: true },
  { name: "shared down", linears: shared.map(({ down }) => down), gated: false },
];
for (const rows of values.rows.split(",").map(Number))
  for (const product of products) {
    const { outSize, inSize } = at(product.linears, 0);
    const { spanCount } = tileExtent(outSize, inSize);
    const work = { rowCount: rows, expertCount: 0, outSize, spanCount, bits, isGated: product.gated };
    await time(product, rows, groupShape(work), "  as chosen");
    for (const shape of shapes(product.gated, outSize, inSize)) await time(product, rows, shape, "");
  }
memory.close();
device.close();
