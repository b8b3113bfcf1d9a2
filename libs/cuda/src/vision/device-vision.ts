import type { BiasedRows, LinearRows, VisionConfig, VisionWeights } from "@drover/checkpoint";
import { visionRopeTables } from "@drover/llama4";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { DeviceLinear } from "../kernels/product.ts";
import { patchWidth } from "../kernels/vision-kernels.ts";
import type { LinearUploader } from "../model/device-linear.ts";

/** A Linear on the card; `bias` is 0 where it has none. */
export type DeviceBiased = Readonly<{ linear: DeviceLinear; bias: DeviceAddress }>;
/** A LayerNorm's gain and bias. */
type DeviceNorm = Readonly<{ weight: DeviceAddress; bias: DeviceAddress }>;

/** One encoder layer on the card. */
type DeviceVisionLayer = Readonly<
  Record<"inputNorm" | "mlpNorm", DeviceNorm> & Record<"qkv" | "output" | "fc1" | "fc2", DeviceBiased>
>;

/** A vision encoder on a card, with adapter and projector. */
export type DeviceVision = Readonly<{
  patches: DeviceLinear;
  classRow: DeviceAddress;
  positions: DeviceAddress;
  enterNorm: DeviceNorm;
  /** Cosine and sine, [rows of a tile, headDim / 2] pairs. */
  angles: DeviceAddress;
  layers: readonly DeviceVisionLayer[];
  exitNorm: DeviceNorm;
  adapter: readonly [DeviceBiased, DeviceBiased];
  projector: DeviceBiased;
}>;

/** Where an encoder's weights come from. */
export type VisionSource = Pick<VisionWeights, "entryRows" | "layerRows" | "exitRows">;

/** Brings an encoder's weights to the card, its Linears as they are stored. Errors: the checkpoint's; `overloaded` where the card is full; the signal's reason. */
export async function loadDeviceVision(
  config: VisionConfig,
  weights: VisionSource,
  uploader: LinearUploader,
  signal: AbortSignal,
): Promise<DeviceVision> {
  const linear = (rows: LinearRows) => uploader.upload([rows], { quantization: null });
  const biased = async ({ rows, bias }: BiasedRows): Promise<DeviceBiased> => ({
    linear: await linear(rows),
    bias: bias === null ? 0n : uploader.vector(bias),
  });
  const norm = ({ weight, bias }: Readonly<Record<"weight" | "bias", Float32Array>>): DeviceNorm => ({
    weight: uploader.vector(weight),
    bias: uploader.vector(bias),
  });
  const entry = await weights.entryRows();
  const enter = {
    patches: await linear(padded(entry.patches, patchWidth(config))),
    classRow: uploader.vector(entry.classEmbedding),
    positions: uploader.vector(entry.positions),
    enterNorm: norm(entry.norm),
  };
  const layers: DeviceVisionLayer[] = [];
  for (let index = 0; index < config.layerCount; index++) {
    signal.throwIfAborted();
    const { inputNorm, mlpNorm, qkv, output, fc1, fc2 } = await weights.layerRows(index);
    layers.push({
      inputNorm: norm(inputNorm),
      mlpNorm: norm(mlpNorm),
      qkv: await biased(qkv),
      output: await biased(output),
      fc1: await biased(fc1),
      fc2: await biased(fc2),
    });
  }
  const exit = await weights.exitRows();
  const loaded = {
    ...enter,
    angles: uploader.vector(anglesOf(config)),
    layers,
    exitNorm: norm(exit.norm),
    adapter: [await biased(exit.fc1), await biased(exit.fc2)],
    projector: await biased(exit.projector),
  } as const;
  await uploader.finish();
  return loaded;
}

function anglesOf(config: VisionConfig): Float32Array {
  const { cos, sin } = visionRopeTables(config);
  const angles = new Float32Array(2 * cos.length);
  for (const [i, value] of cos.entries()) angles.set([value, sin[i] as number], 2 * i);
  return angles;
}

/** The same with zeros behind each row: products read a multiple of eight inputs. */
function padded(rows: LinearRows, inSize: number): LinearRows {
  if (rows.inSize === inSize) return rows;
  const read = async (first: number, count: number): Promise<Float32Array> => {
    const narrow = await rows.read(first, count);
    const wide = new Float32Array(count * inSize);
    for (let row = 0; row < count; row++)
      wide.set(narrow.subarray(row * rows.inSize, (row + 1) * rows.inSize), row * inSize);
    return wide;
  };
  return { outSize: rows.outSize, inSize, read, stored: undefined };
}
