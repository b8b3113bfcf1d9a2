import { parseArgs } from "node:util";
import { at } from "@drover/core";
import { openCuda } from "@drover/cuda";
import { kvGeometry } from "@drover/kv";
import { captured } from "../../libs/cuda/src/driver/captured.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import { ModelKernels } from "../../libs/cuda/src/kernels/model-kernels.ts";
import { shapeOf as shapeOfWork, type TileShape, type Work } from "../../libs/cuda/src/kernels/tile-kernels.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { PageStore } from "../../libs/cuda/src/memory/page-store.ts";
import { allocateBuffers } from "../../libs/cuda/src/model/step-buffers.ts";
import { StepInputs } from "../../libs/cuda/src/model/step-inputs.ts";
import { stepRows } from "../../libs/cuda/src/model/step-rows.ts";
import { shapeOf } from "../../libs/cuda/src/model/step-shape.ts";
import { TextProgram } from "../../libs/cuda/src/model/text-program.ts";
import type { TileFormat } from "../../libs/cuda/src/model/weight-format.ts";
import { medianMs } from "./card-time.ts";
import { KernelProfile } from "./kernel-profile.ts";
import { RandomWeights } from "./random-weights.ts";
import { rowOperations, shapeConfig, touchedBytes } from "./shape-config.ts";

/**
 * Decode steps of Scout's or Maverick's true shapes, the head too, random weights: one CUDA graph a step from embedding to the likeliest token, replayed with the same rows. How many
 * experts each layer reads, and which share of the card's bandwidth that is, is printed. And prompts, from embedding to the last layer, in steps of so many rows.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "scout" },
    layers: { type: "string", default: "48" },
    weights: { type: "string", default: "int4" },
    /** What keys and values are kept as: f16 or f32. */
    kv: { type: "string", default: "f16" },
    batches: { type: "string", default: "1,8,32,64" },
    contexts: { type: "string", default: "1000" },
    /** Rows of a prompt's step, and positions before it; such as 8192:0. */
    prompts: { type: "string", default: "" },
    library: { type: "string" },
    cache: { type: "string" },
    tiny: { type: "boolean", default: false },
    /**
     * Blocks of few_rows.cu to time one after the other, apart by |: `chosen`, or such as gate8=2.4.5x;down8=3.8.2, products by what they are and the rows of their jobs, blocks as
     * product-shapes.ts has them.
     */
    shapes: { type: "string", default: "chosen" },
    /** Prints the time of each kernel of one step that is no graph. */
    profile: { type: "boolean", default: false },
  },
});
/** Read bandwidth that was measured on an H200, bytes a second. */
const BANDWIDTH = 4.39e12;
const FORMATS: Readonly<Record<string, { format: TileFormat; bits: number; blockSize: number }>> = {
  int4: { format: { kind: "tiles", numbers: { bits: 4, blockSize: 128 } }, bits: 4, blockSize: 128 },
  int8: { format: { kind: "tiles", numbers: { bits: 8, blockSize: 128 } }, bits: 8, blockSize: 128 },
  fp8: { format: { kind: "tiles", numbers: "e4m3" }, bits: 8, blockSize: 0 },
  bf16: { format: { kind: "tiles", numbers: "f16" }, bits: 16, blockSize: 0 },
};
const layerCount = Number(values.layers);
const config = shapeConfig(values.model === "scout" ? "scout" : "maverick", layerCount, values.tiny);
const { format, bits, blockSize } = FORMATS[values.weights] ?? at(Object.values(FORMATS), 0);
const REPLAYS = 30;
const PAGE_ROWS = 64;

const began = performance.now();
const cuda = await openCuda(0, values.library ? { driver: [values.library], compiler: [values.library] } : undefined);
const { device } = cuda;
const profile = values.profile ? new KernelProfile(device) : undefined;
const stream = device.createStream();
const memory = new DeviceMemory(device);
const weights = new RandomWeights(config, device, memory, stream, format).make();
const prompts = values.prompts.split(",").flatMap((text) => (text === "" ? [] : [text.split(":").map(Number)]));
const decodes = values.contexts
  .split(",")
  .flatMap((context) =>
    values.batches
      .split(",")
      .flatMap((batch) => (batch === "" ? [] : [{ context: Number(context), batch: Number(batch) }])),
  );
const rowsMax = Math.max(...decodes.map(({ batch }) => batch), ...prompts.map(([rows = 1]) => rows));
const pagesOf = (context: number) => Math.ceil((context + 1) / PAGE_ROWS);
const pagesMax = Math.max(
  ...decodes.map(({ context, batch }) => batch * pagesOf(context)),
  ...prompts.map(([rows = 1, context = 0]) => pagesOf(rows + context)),
);
const kv = values.kv === "f32" ? "f32" : "f16";
const geometry = kvGeometry(config, kv);
const kvBytes = pagesMax * PAGE_ROWS * geometry.rowBytes * layerCount;
const store = new PageStore(geometry, kvBytes, device, memory, stream, {
  dtype: kv,
  kvHeadCount: config.kvHeadCount,
});
// Numbers that are even, so that their scale is the least one.
device.fill(store.address, 0x34, kvBytes, stream);
const library = new KernelLibrary(cuda, values.cache);
let tried: ReadonlyMap<string, string> = new Map();
const sizes = { ...config, pageRows: store.layout.pageRows, kv, choose: triedShape } as const;
const kernels = new ModelKernels(device, library, sizes, "f16", stream);
const buffers = allocateBuffers(config, rowsMax, kernels.activations, memory, (address, byteCount) =>
  device.fill(address, 0, byteCount, stream),
);
const inputs = new StepInputs(device, memory, rowsMax, 2 * pagesMax + 2);
const program = new TextProgram(config, kernels, weights, buffers, inputs, store.address);
device.synchronize(stream);
const used = (["weights", "kv", "activations"] as const).map(
  (kind) => `${kind} ${(memory.used(kind) / 1e9).toFixed(2)} GB`,
);
const seconds = ((performance.now() - began) / 1e3).toFixed(1);
console.log(
  `${values.model}, ${layerCount} layers, ${values.weights}, KV in ${kv}, ${device.facts.name}: ${used.join(", ")}, filled in ${seconds} s`,
);
for (const { context, batch } of decodes)
  for (const text of values.shapes.split("|")) {
    tried = new Map(text.split(";").map((part) => part.split("=") as [string, string]));
    await decode(context, batch, text);
  }
for (const [rows = 1, context = 0] of prompts) await prompt(rows, context);
memory.close();
device.close();

/** few_rows.cu's blocks of what is tried; else as they are chosen. */
function triedShape(work: Work): TileShape {
  const chosen = shapeOfWork(work);
  const isOutput = work.outSize === config.hiddenSize;
  const dense = isOutput ? "output" : work.outSize === config.vocabSize ? "head" : "qkv";
  const kind = work.expertCount === 0 ? dense : isOutput ? "down" : "gate";
  const given = tried.get(`${kind}${chosen.rows}`);
  if (given === undefined || chosen.file !== "few_rows") return chosen;
  const [TILES = 1, WARPS = 1, BLOCKS = 1] = given.replace("x", "").split(".").map(Number);
  return { ...chosen, TILES, WARPS, BLOCKS, ACROSS: given.endsWith("x") ? 1 : 0 };
}

/** Sequences of so many rows, each with its pages, and some new rows each. */
function rowsOf(context: number, batch: number, newRows: number) {
  const pageCount = pagesOf(context + newRows - 1);
  const { pageUnits, slabUnits } = store.layout;
  const pages = (first: number, units: number) => Array.from({ length: pageCount }, (_, i) => (first + i) * units);
  const runs = Array.from({ length: batch }, (_, i) => {
    const table = (units: number) => ({ firstPosition: 0, pages: pages(i * pageCount, units), writeFrom: 0 });
    const tables = { global: table(Math.min(pageUnits.global, slabUnits)), local: table(pageUnits.local) };
    const tokenIds = Int32Array.from({ length: newRows }, (_, row) => ((i + row) * 7919 + 17) % config.vocabSize);
    return { position: context, tokenIds, tables };
  });
  return stepRows(runs, config, PAGE_ROWS, kernels.tileRows);
}

/** How many experts rows chose, a layer. */
function expertsALayer(rowCount: number): number {
  const layers = config.moeLayers.length;
  const chosen = new Int32Array(rowCount * layers);
  device.read(buffers.chosen, new Uint8Array(chosen.buffer));
  const counts = config.moeLayers.map(
    (_, layer) => new Set(Array.from({ length: rowCount }, (__, row) => at(chosen, row * layers + layer))).size,
  );
  return counts.reduce((sum, count) => sum + count, 0) / Math.max(1, layers);
}

async function decode(context: number, batch: number, shapes: string): Promise<void> {
  const rows = rowsOf(context, batch, 1);
  const wanted = Int32Array.from({ length: batch }, (_, row) => row);
  const step = () => {
    program.embed(batch);
    program.layers({ rowCount: batch, seen: rows.seen, tiling: undefined });
    program.head({ first: 0, count: batch, topCount: 1 });
  };
  inputs.send(rows, batch, { wanted, asked: new Int32Array(batch) }, stream);
  step();
  device.synchronize(stream);
  profile?.print(batch, step, stream);
  const experts = expertsALayer(batch);
  const recording = performance.now();
  const graph = captured(device, stream, step);
  const captureMs = performance.now() - recording;
  const ms = await medianMs(device, stream, REPLAYS, () => device.launchGraph(graph, stream));
  device.destroyGraph(graph);
  const kvRead = batch * (context + 1) * geometry.rowBytes * layerCount;
  const bytes = touchedBytes(config, bits, blockSize, experts) + kvRead;
  const figures = [
    `${ms.toFixed(3)} ms a step`,
    `${((1e3 * batch) / ms).toFixed(0)} tokens/s`,
    `${experts.toFixed(1)} experts a layer`,
    `${(bytes / 1e9).toFixed(2)} GB touched, ${((1e5 * bytes) / ms / BANDWIDTH).toFixed(0)}% of the bandwidth`,
    `captured in ${captureMs.toFixed(1)} ms`,
  ];
  console.log(`batch ${batch}, ${context} cached, ${shapes}: ${figures.join(", ")}`);
}

async function prompt(rowCount: number, context: number): Promise<void> {
  const rows = rowsOf(context, 1, rowCount);
  inputs.send(rows, rowCount, { wanted: new Int32Array(0), asked: new Int32Array(0) }, stream);
  const step = () => {
    program.embed(rowCount);
    program.layers(shapeOf(rows));
  };
  step();
  device.synchronize(stream);
  profile?.print(rowCount, step, stream);
  const ms = await medianMs(device, stream, 3, step);
  const rate = (rowOperations(config) * rowCount) / ms / 1e9;
  console.log(
    `prompt of ${rowCount} behind ${context}: ${ms.toFixed(1)} ms, ${((1e3 * rowCount) / ms).toFixed(0)} tokens/s, products' ${rate.toFixed(0)} TFLOP/s, ${expertsALayer(rowCount).toFixed(1)} experts a layer`,
  );
}
