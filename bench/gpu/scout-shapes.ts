import { parseArgs } from "node:util";
import type { ModelConfig } from "@drover/checkpoint";
import { at } from "@drover/core";
import { openCuda } from "@drover/cuda";
import { kvGeometry } from "@drover/kv";
import { passed } from "../../libs/cuda/src/driver/passed.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import { ModelKernels } from "../../libs/cuda/src/kernels/model-kernels.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { PageStore } from "../../libs/cuda/src/memory/page-store.ts";
import { allocateBuffers } from "../../libs/cuda/src/model/step-buffers.ts";
import { StepInputs } from "../../libs/cuda/src/model/step-inputs.ts";
import { stepRows } from "../../libs/cuda/src/model/step-rows.ts";
import { TextProgram } from "../../libs/cuda/src/model/text-program.ts";
import { KernelProfile } from "./kernel-profile.ts";
import { RandomWeights } from "./random-weights.ts";

/**
 * Decode steps of Scout's or Maverick's true shapes: int4 by blocks of 128, the head too, random weights, one CUDA graph a step from embedding to the likeliest token,
 * replayed with the same rows. Rows are random, so experts are chosen as random rows choose them: how many each layer reads is printed.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "scout" },
    layers: { type: "string", default: "48" },
    batches: { type: "string", default: "1,8,32,64" },
    contexts: { type: "string", default: "1000" },
    library: { type: "string" },
    cache: { type: "string" },
    /** Shapes that are computed in no time: to try the program itself. */
    tiny: { type: "boolean", default: false },
    /** Prints the time of each kernel of one step that is no graph. */
    profile: { type: "boolean", default: false },
  },
});

const layerCount = Number(values.layers);
const isScout = values.model === "scout";
const wide = {
  vocabSize: 202_048,
  hiddenSize: 5120,
  headCount: 40,
  kvHeadCount: 8,
  headDim: 128,
  expertWidth: 8192,
  denseWidth: 16_384,
};
const tiny = {
  vocabSize: 512,
  hiddenSize: 256,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 64,
  expertWidth: 128,
  denseWidth: 256,
};
const config: ModelConfig = {
  modelType: "llama4_text",
  ...(values.tiny ? tiny : wide),
  layerCount,
  expertCount: isScout ? 16 : 128,
  expertsPerToken: 1,
  moeLayers: Array.from({ length: layerCount }, (_, i) => i).filter((i) => isScout || i % 2 === 1),
  isGlobalLayer: Array.from({ length: layerCount }, (_, i) => i % 4 === 3),
  chunkSize: 8192,
  maxPositionEmbeddings: 2 ** 20,
  tieWordEmbeddings: false,
  rmsNormEps: 1e-5,
  useQkNorm: isScout,
  ropeTheta: 500_000,
  ropeScaling: null,
  temperatureTuning: null,
  imageTokenId: undefined,
};
const ROWS_MAX = 64;
const REPLAYS = 30;

const cuda = await openCuda(0, values.library ? { driver: [values.library], compiler: [values.library] } : undefined);
const { device } = cuda;
const profile = values.profile ? new KernelProfile(device) : undefined;
const stream = device.createStream();
const memory = new DeviceMemory(device);
const weights = new RandomWeights(config, device, memory).make();
const contexts = values.contexts.split(",").map(Number);
const batches = values.batches.split(",").map(Number);
const geometry = kvGeometry(config, "bf16");
const rowsMax = Math.max(...contexts) + 64;
const pagesMax = Math.ceil(rowsMax / 64);
const cases = contexts.flatMap((context) =>
  batches.map((batch) => ({ context, batch, pages: batch * Math.ceil((context + 1) / 64) })),
);
/** Bytes of KV that there is room for beside Scout's weights; what does not fit is left out. */
const KV_BYTES_MAX = 60e9;
const pageBytes = 64 * geometry.rowBytes * layerCount;
const fitting = cases.filter(({ pages }) => pages * pageBytes <= KV_BYTES_MAX);
const kvBytes = Math.max(...fitting.map(({ pages }) => pages)) * pageBytes;
const store = new PageStore(geometry, kvBytes, device, memory, stream, {
  dtype: "f16",
  kvHeadCount: config.kvHeadCount,
});
device.fill(store.address, 0, kvBytes, stream);
const library = new KernelLibrary(cuda, values.cache);
const kernels = new ModelKernels(device, library, { ...config, pageRows: store.layout.pageRows }, "f16", stream);
const buffers = allocateBuffers(config, ROWS_MAX, kernels.activationBytes, memory);
const inputs = new StepInputs(device, memory, ROWS_MAX, 2 * ROWS_MAX * pagesMax);
const program = new TextProgram(config, kernels, weights, buffers, inputs, store.address);
const used = (["weights", "kv", "activations"] as const).map(
  (kind) => `${kind} ${(memory.used(kind) / 1e9).toFixed(2)} GB`,
);
console.log(`${values.model}, ${layerCount} layers, ${device.facts.name}: ${used.join(", ")}`);

for (const { context, batch } of fitting) await time(context, batch);
memory.close();
device.close();

/** Sequences of so many rows, each with its pages, and one new row each. */
function rowsOf(context: number, batch: number) {
  const pageCount = Math.ceil((context + 1) / 64);
  const { pageUnits, slabUnits } = store.layout;
  const pages = (first: number, units: number) => Array.from({ length: pageCount }, (_, i) => (first + i) * units);
  const runs = Array.from({ length: batch }, (_, i) => {
    const table = (units: number) => ({ firstPosition: 0, pages: pages(i * pageCount, units), writeFrom: 0 });
    const tables = { global: table(Math.min(pageUnits.global, slabUnits)), local: table(pageUnits.local) };
    return { position: context, tokenIds: Int32Array.of((i * 7919 + 17) % config.vocabSize), tables };
  });
  return stepRows(runs, config, 64);
}

async function time(context: number, batch: number): Promise<void> {
  const rows = rowsOf(context, batch);
  const wanted = Int32Array.from({ length: batch }, (_, row) => row);
  const step = () => {
    program.embed(batch);
    program.layers({ rowCount: batch, parts: rows.parts });
    program.head({ first: 0, count: batch, topCount: 1 });
  };
  inputs.send(rows, batch, wanted, new Int32Array(batch), stream);
  step();
  device.synchronize(stream);
  profile?.print(batch, step, stream);
  const chosen = new Int32Array(batch * config.moeLayers.length);
  device.read(buffers.chosen, new Uint8Array(chosen.buffer));
  const perLayer = config.moeLayers.map((_, layer) => {
    const own = Array.from({ length: batch }, (__, row) => at(chosen, row * config.moeLayers.length + layer));
    return new Set(own).size;
  });
  const experts = perLayer.reduce((sum, count) => sum + count, 0) / Math.max(1, perLayer.length);
  const captured = performance.now();
  device.beginCapture(stream);
  step();
  const graph = device.endCapture(stream);
  const captureMs = performance.now() - captured;
  const [from, to] = [device.createEvent(), device.createEvent()];
  const times: number[] = [];
  for (let i = 0; i < REPLAYS; i++) {
    device.record(from, stream);
    device.launchGraph(graph, stream);
    device.record(to, stream);
    await passed(device, to);
    times.push(device.elapsedMs(from, to));
  }
  const median = at(
    times.sort((a, b) => a - b),
    Math.floor(REPLAYS / 2),
  );
  device.destroyGraph(graph);
  const figures = [
    `${median.toFixed(3)} ms a step`,
    `${((1e3 * median) / layerCount).toFixed(0)} us a layer, head in it`,
    `${((1e3 * batch) / median).toFixed(0)} tokens/s`,
    `${experts.toFixed(1)} experts a layer`,
    `captured in ${captureMs.toFixed(1)} ms`,
  ];
  console.log(`batch ${batch}, ${context} cached: ${figures.join(", ")}`);
}
