import { parseArgs } from "node:util";
import type { BiasedRows } from "@drover/checkpoint";
import { at, neverAborted } from "@drover/core";
import { CardVision, type Cuda, openCuda, type Precision } from "@drover/cuda";
import { captured } from "../../libs/cuda/src/driver/captured.ts";
import type { Stream } from "../../libs/cuda/src/driver/cuda-device.ts";
import { KernelLibrary } from "../../libs/cuda/src/kernels/kernel-library.ts";
import { VisionKernels } from "../../libs/cuda/src/kernels/vision-kernels.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { LinearUploader } from "../../libs/cuda/src/model/device-linear.ts";
import { loadDeviceVision } from "../../libs/cuda/src/vision/device-vision.ts";
import { allocateVision, VisionProgram } from "../../libs/cuda/src/vision/vision-program.ts";
import { visionRopeTables } from "../../libs/llama4/src/index.ts";
import { median, medianMs } from "./card-time.ts";
import { randomVision, tileOperations, VISION_SHAPES } from "./random-vision.ts";

/**
 * Times the vision encoder of Llama 4's true shapes and of nano's with random weights on a card: tiles a second of images that wait together, an image of one tile, what a turn of two layers takes,
 * which a step waits for at most, and the kernels of one layer. `--cpu` times one layer of a tile by ONNX Runtime on one thread of this machine instead.
 */
const { values } = parseArgs({
  options: {
    library: { type: "string" },
    cache: { type: "string" },
    shapes: { type: "string", default: "llama4,nano" },
    precisions: { type: "string", default: "f16,f32" },
    images: { type: "string", default: "8" },
    tiles: { type: "string", default: "17" },
    repeats: { type: "string", default: "5" },
    cpu: { type: "boolean", default: false },
  },
});
type Shape = keyof typeof VISION_SHAPES;
const TILES = Number(values.tiles);

async function whole(cuda: Cuda, shape: Shape, precision: Precision): Promise<void> {
  const config = VISION_SHAPES[shape];
  const { device } = cuda;
  const stream = device.createStream();
  const options = { precision, cacheFolder: values.cache, stream, onEncoded: () => undefined };
  const began = performance.now();
  const vision = await CardVision.load(cuda, config, randomVision(config), options, neverAborted);
  const loadMs = performance.now() - began;
  const pixels = new Uint8Array(TILES * config.imageSize ** 2 * 3).map((_, i) => i % 251);
  const encode = (tileCount: number) =>
    vision.encode(tileCount, pixels.subarray(0, tileCount * config.imageSize ** 2 * 3), neverAborted);
  await encode(1);
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const alone: number[] = [];
  const together: number[] = [];
  for (let i = 0; i < Number(values.repeats); i++) {
    alone.push(await timed(() => encode(1)));
    together.push(await timed(() => Promise.all(Array.from({ length: Number(values.images) }, () => encode(TILES)))));
  }
  const rate = (1e3 * Number(values.images) * TILES) / median(together);
  const flops = ((rate * tileOperations(config)) / 1e12).toFixed(1);
  const bytes = vision.memory.used("weights") + vision.memory.used("activations");
  console.log(
    `${shape} ${precision}: ${rate.toFixed(1)} tiles/s (${values.images} images of ${TILES}), ${flops} TFLOP/s of the model's; one tile ${median(alone).toFixed(2)} ms; ` +
      `loaded in ${(loadMs / 1e3).toFixed(1)} s, ${(bytes / 2 ** 20).toFixed(0)} MiB (${(vision.memory.used("weights") / 2 ** 20).toFixed(0)} weights)`,
  );
  await vision[Symbol.asyncDispose]();
  device.destroyStream(stream);
}

/** Milliseconds on the card of what is enqueued, in a graph. */
async function cardMs({ device }: Cuda, stream: Stream, work: () => void): Promise<number> {
  work();
  const graph = captured(device, stream, work);
  const ms = await medianMs(device, stream, 3 * Number(values.repeats), () => device.launchGraph(graph, stream));
  device.destroyGraph(graph);
  return ms;
}

/** A layer's parts for one tile and for four. */
async function parts(cuda: Cuda, shape: Shape, precision: Precision): Promise<void> {
  const config = { ...VISION_SHAPES[shape], layerCount: 1 };
  const { device } = cuda;
  const [memory, stream, library] = [
    new DeviceMemory(device),
    device.createStream(),
    new KernelLibrary(cuda, values.cache),
  ];
  const kernels = new VisionKernels(device, library, config, precision, stream);
  const uploader = new LinearUploader(device, memory, kernels.linears, stream);
  const weights = await loadDeviceVision(config, randomVision(config), uploader, neverAborted);
  uploader.close();
  const buffers = allocateVision(config, 4, kernels, { device, memory, stream });
  const program = new VisionProgram(config, kernels, weights, buffers);
  const layer = at(weights.layers, 0);
  const { h, x, y, qkv, attended, inner } = buffers;
  for (const tileCount of [1, 4]) {
    const rowCount = tileCount * kernels.tileRows;
    const product = (name: "qkv" | "output" | "fc1" | "fc2", from: bigint, to: bigint) => () =>
      kernels.linears.multiply(rowCount, { linear: layer[name].linear, x: from, y: to });
    program.stage(0, tileCount);
    const works: Record<string, () => void> = {
      enter: () => program.stage(0, tileCount),
      layer: () => program.stage(1, tileCount),
      exit: () => program.stage(2, tileCount),
      norm: () => kernels.normalize(rowCount, { h, added: { y, bias: layer.output.bias }, ...layer.mlpNorm, x }),
      qkv: product("qkv", x, qkv),
      turn: () => kernels.turnHeads(tileCount, { qkv, bias: layer.qkv.bias, angles: weights.angles }),
      attend: () => kernels.attend(tileCount, { qkv, y: attended }),
      output: product("output", attended, y),
      fc1: product("fc1", x, y),
      gelu: () => kernels.bend(rowCount, { y, bias: layer.fc1.bias, x: inner, width: config.mlpWidth }),
      fc2: product("fc2", inner, y),
    };
    const times: string[] = [];
    for (const [name, work] of Object.entries(works))
      times.push(`${name} ${(1e3 * (await cardMs(cuda, stream, work))).toFixed(0)}`);
    console.log(`${shape} ${precision}, ${tileCount} tiles, us: ${times.join(", ")}`);
  }
  device.synchronize(stream);
  library.close();
  memory.close();
  device.destroyStream(stream);
}

/** One layer of one tile by ONNX Runtime. */
async function onCpu(shape: Shape): Promise<void> {
  const { Session, f32 } = await import("../../libs/onnx/src/session.ts");
  const { visionLayerGraph } = await import("../../libs/onnx/src/graphs/vision-stages.ts");
  const config = VISION_SHAPES[shape];
  const { hiddenSize, gridSize, layerCount } = config;
  const rows = await randomVision(config).layerRows(0);
  const filled = async ({ rows, bias }: BiasedRows) => ({ weight: await rows.read(0, rows.outSize), bias });
  const [qkv, output, fc1, fc2] = [
    await filled(rows.qkv),
    await filled(rows.output),
    await filled(rows.fc1),
    await filled(rows.fc2),
  ];
  const graph = visionLayerGraph(config, { ...rows, qkv, output, fc1, fc2 }, visionRopeTables(config));
  using session = new Session("layer", graph, ["out"], { threads: 1 });
  const x = f32(
    new Float32Array((gridSize ** 2 + 1) * hiddenSize).map((_, i) => (i % 17) / 17 - 0.5),
    [gridSize ** 2 + 1, hiddenSize],
  );
  const times: number[] = [];
  for (let i = 0; i <= Number(values.repeats); i++) {
    const start = performance.now();
    session.runFlat({ x });
    if (i > 0) times.push(performance.now() - start);
  }
  const [best, typical] = [Math.min(...times) * layerCount, median(times) * layerCount];
  console.log(
    `${shape} by ONNX Runtime, one thread, ${layerCount} layers: ${typical.toFixed(0)} ms a tile in the median, ${best.toFixed(0)} at best: ${(1e3 / typical).toFixed(2)} tiles/s`,
  );
}

const shapes = values.shapes.split(",") as Shape[];
if (values.cpu) for (const shape of shapes) await onCpu(shape);
else {
  const cuda = await openCuda(0, values.library ? { driver: [values.library], compiler: [values.library] } : undefined);
  for (const shape of shapes)
    for (const precision of values.precisions.split(",") as Precision[]) {
      await whole(cuda, shape, precision);
      await parts(cuda, shape, precision);
    }
  cuda.device.close();
}
