import { parseArgs } from "node:util";
import { at } from "@drover/core";
import { openCuda } from "@drover/cuda";
import { captured } from "../../libs/cuda/src/driver/captured.ts";
import type { DeviceAddress } from "../../libs/cuda/src/driver/cuda-device.ts";
import { relativeError } from "../../libs/cuda/src/kernels/checks/checked-card.ts";
import { KernelLauncher, NULL } from "../../libs/cuda/src/kernels/kernel-launcher.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import { LinearKernels } from "../../libs/cuda/src/kernels/linear-kernels.ts";
import type { DeviceLinear } from "../../libs/cuda/src/kernels/product.ts";
import { shapeOf, type TileShape } from "../../libs/cuda/src/kernels/tile-kernels.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import type { TileFormat } from "../../libs/cuda/src/model/weight-format.ts";
import { medianMs } from "./card-time.ts";
import { RandomWeights } from "./random-weights.ts";
import { shapeConfig } from "./shape-config.ts";

/**
 * Times few_rows.cu on Scout's matrices of 4 bits, as tile-kernels.ts chooses its blocks and in other shapes: what it chooses among. A graph multiplies by the same matrix of each of eight
 * layers, which do not stay in the cache; us a product, the share of the read bandwidth that its weights come at, and how far the results are from those of the chosen shape. Experts are those that so
 * many rows go to as random ones do, and up to 16 rows the shared one beside them. `--shapes` are TILES.WARPS.BLOCKS, with an x behind them where blocks beside each other have other outputs of one job.
 */
const { values } = parseArgs({
  options: {
    library: { type: "string" },
    cache: { type: "string" },
    tiny: { type: "boolean", default: false },
    batches: { type: "string", default: "1,8,16,32,64" },
    products: { type: "string", default: "gate,down,qkv,output" },
    shapes: { type: "string", default: "2.8.2,2.8.2x,2.4.4x,2.4.5,2.4.5x,3.8.2,4.8.2,4.4.3x" },
  },
});
const [LAYERS, REPLAYS, BANDWIDTH, BITS_A_WEIGHT, ROWS_MAX] = [8, 15, 4.39e12, 4.25, 128];
/** Up to so many rows the shared expert is one of them. */
const JOINED_ROWS_MAX = 16;
/** Rows of eight columns. */
const GROUP_ROWS = 4;
const FORMAT: TileFormat = { kind: "tiles", numbers: { bits: 4, blockSize: 128 } };
/** Rows of each expert that so many rows go to, as random ones do. */
const EXPERTS: Readonly<Record<number, readonly number[]>> = {
  1: [1],
  8: [2, 1, 1, 1, 1, 1, 1],
  16: [3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1],
  32: [4, 2, 1, 3, 2, 2, 1, 3, 2, 4, 2, 1, 2, 2, 1],
  64: [8, 4, 3, 5, 4, 2, 6, 4, 3, 5, 4, 4, 5, 3, 2, 2],
};
const config = shapeConfig("scout", LAYERS, values.tiny);
const cuda = await openCuda(0, values.library ? { driver: [values.library], compiler: [values.library] } : undefined);
const { device } = cuda;
const stream = device.createStream();
const memory = new DeviceMemory(device);
const weights = new RandomWeights(config, device, memory, stream, FORMAT).make();
const launcher = new KernelLauncher(device, new KernelLibrary(cuda, values.cache), stream);
const { activations } = new LinearKernels(launcher, "f16");
const width = Math.max(config.expertWidth, config.hiddenSize);
const x = put(
  Uint16Array.from({ length: 2 * ROWS_MAX * width }, (_, i) => {
    const mixed = Math.imul(i + 7, 0x9e3779b1) >>> 0;
    // Numbers of either sign, and each second one some 2^-12 as large.
    return ((mixed & 0x8000) | (0x2c00 + ((mixed >>> 16) & 0x0fff))) & (i % 2 === 0 ? 0xffff : 0x83ff | 0x0800);
  }),
);
const yBytes = 4 * ROWS_MAX * 2 * config.expertWidth;
const y = memory.allocate("activations", yBytes);

function put(values: Int32Array | Uint16Array): DeviceAddress {
  const address = memory.allocate("activations", values.byteLength);
  device.write(address, new Uint8Array(values.buffer));
  return address;
}

/** Rows' numbers, as f16 or f32. */
function found(rows: number, outSize: number, isGated: boolean): Float32Array {
  device.synchronize(stream);
  if (!isGated) {
    const numbers = new Float32Array(rows * outSize);
    device.read(y, new Uint8Array(numbers.buffer));
    return numbers;
  }
  const stride = activations.stride(outSize / 2);
  const halves = new Float16Array(rows * 2 * stride);
  device.read(y, new Uint8Array(halves.buffer));
  return Float32Array.from({ length: rows * stride }, (_, i) => {
    const first = Math.floor(i / stride) * 2 * stride + (i % stride);
    return (halves[first] as number) + (halves[first + stride] as number);
  });
}

type Shape = Readonly<{ TILES: number; WARPS: number; BLOCKS: number; ACROSS: 0 | 1 }>;
type Work = Readonly<{ name: string; linears: readonly DeviceLinear[]; isRouted: boolean; isGated: boolean }>;

function fewRows(rows: number, shape: Shape): TileShape {
  return { file: "few_rows", rows, GROUPS: rows / GROUP_ROWS, ...shape };
}

/** Jobs of at most so many rows: the shared expert's, which all rows go to, and those of each expert. */
function jobsOf(batch: number, rows: number, isJoined: boolean, matrixCount: number): readonly (readonly number[])[] {
  const counts = EXPERTS[batch] ?? [batch];
  const all = [...(isJoined ? [batch] : []), ...counts];
  let first = 0;
  return all.flatMap((count, i) => {
    const matrix = !isJoined ? i : i === 0 ? matrixCount - 1 : i - 1;
    const own: number[][] = [];
    for (let rest = count; rest > 0; rest -= rows) {
      own.push([matrix, first, Math.min(rows, rest), 0]);
      first += Math.min(rows, rest);
    }
    return own;
  });
}

async function time(work: Work, batch: number, others: readonly Shape[]): Promise<void> {
  const { name, isRouted, isGated } = work;
  const { outSize, count } = at(work.linears, 0);
  const isJoined = batch <= JOINED_ROWS_MAX;
  const chosen = shapeOf({
    rowCount: batch,
    expertCount: isRouted ? config.expertCount : 0,
    outSize,
    bits: 4,
    isGated,
  });
  const { rows: jobRows } = chosen;
  const jobs = isRouted ? jobsOf(batch, jobRows, isJoined, count) : [];
  const rows = jobs.reduce((sum, [, , own = 0]) => sum + own, 0);
  const routing = isRouted && {
    routing: {
      scales: NULL,
      order: put(Int32Array.from({ length: rows }, (_, i) => i)),
      jobs: put(Int32Array.from(jobs.flat())),
      jobCount: put(Int32Array.of(jobs.length)),
      jobCountMax: jobs.length + 1,
      expertCount: config.expertCount,
    },
  };
  const matrixCount = isRouted ? new Set(jobs.map(([matrix]) => matrix)).size : 1;
  let expected: Float32Array | undefined;
  for (const other of [undefined, ...others]) {
    if (isGated && other !== undefined && other.TILES % 2 === 1) continue;
    const shape = other === undefined ? chosen : fewRows(jobRows, other);
    const linears = new LinearKernels(launcher, "f16", () => shape);
    const step = () => {
      for (const linear of work.linears) {
        if (isGated) linears.gate(batch, { linear, x, y, ...routing });
        else linears.multiply(batch, { linear, x, y, ...routing });
      }
    };
    device.fill(y, 0xff, yBytes, stream);
    step();
    const numbers = found(isRouted ? rows : batch, outSize, isGated);
    expected ??= numbers;
    const error = relativeError(numbers, expected);
    const graph = captured(device, stream, step);
    const ms = (await medianMs(device, stream, REPLAYS, () => device.launchGraph(graph, stream))) / LAYERS;
    device.destroyGraph(graph);
    const label = other === undefined ? "as chosen " : "";
    console.log(
      `${name}, ${batch}: ${(1e3 * ms).toFixed(1)} us, ${share(work, matrixCount, ms).toFixed(0)}%, off by ${error.toExponential(1)}  ${label}${JSON.stringify(shape)}`,
    );
  }
}

/** Of the read bandwidth, in per cent, at which so many matrices are read in so many milliseconds. */
function share({ linears }: Work, matrixCount: number, ms: number): number {
  const { outSize, inSize } = at(linears, 0);
  return (100 * matrixCount * outSize * inSize * BITS_A_WEIGHT) / 8 / (ms / 1e3) / BANDWIDTH;
}

const parts = weights.layers.flatMap(({ feedForward }) => (feedForward.kind === "moe" ? [feedForward] : []));
const experts = (which: "gateUp" | "down") => parts.flatMap((part) => (part.experts ? [part.experts[which]] : []));
const works: Readonly<Record<string, Work>> = {
  gate: { name: "gate and up", linears: experts("gateUp"), isRouted: true, isGated: true },
  down: { name: "down", linears: experts("down"), isRouted: true, isGated: false },
  qkv: { name: "qkv", linears: weights.layers.map(({ qkv }) => qkv), isRouted: false, isGated: false },
  output: { name: "output", linears: weights.layers.map(({ output }) => output), isRouted: false, isGated: false },
};
const others = values.shapes.split(",").map((text): Shape => {
  const [TILES = 1, WARPS = 1, BLOCKS = 1] = text.replace("x", "").split(".").map(Number);
  return { TILES, WARPS, BLOCKS, ACROSS: text.endsWith("x") ? 1 : 0 };
});
for (const batch of values.batches.split(",").map(Number))
  for (const name of values.products.split(",")) {
    const work = works[name];
    // More rows of one matrix are group_rows.cu's.
    if (work !== undefined && (work.isRouted || batch <= JOINED_ROWS_MAX)) await time(work, batch, others);
  }
memory.close();
device.close();
