import {
  headFormat,
  type LinearRows,
  type MlpRows,
  type ModelConfig,
  type Quantization,
  type TextRows,
} from "@drover/checkpoint";
import { at } from "@drover/core";
import { ropeTables } from "@drover/llama4";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { DeviceLinear, RowMatrix } from "../kernels/product.ts";
import type { LinearUploader } from "./device-linear.ts";
import { type LayerRows, layerRows } from "./layer-rows.ts";

/** Where a model's matrices come from, and how they are quantized on their way to the card: the head in its own way; router, embedding and norms never. */
export type TextSource = Readonly<{ rows: TextRows; quantization: Quantization | null }>;

/** A SwiGLU block: gate rows, then up rows, in one matrix; and down. Of experts a matrix each. */
export type DeviceMlp = Readonly<{ gateUp: DeviceLinear; down: DeviceLinear; width: number }>;

/** What follows a layer's attention. */
export type DeviceFeedForward =
  | Readonly<{ kind: "dense"; mlp: DeviceMlp }>
  | Readonly<{
      kind: "moe";
      /** Place among the layers with experts. */
      moeIndex: number;
      router: RowMatrix;
      shared: DeviceMlp;
      /** Those that are on this card; undefined: none ever is. */
      experts: DeviceMlp | undefined;
      /** Whether the shared expert is the last of the experts too. */
      isJoined: boolean;
    }>;

export type DeviceLayer = Readonly<{
  isGlobal: boolean;
  /** Place among the layers of its kind. */
  kindIndex: number;
  inputNorm: DeviceAddress;
  qkv: DeviceLinear;
  output: DeviceLinear;
  postNorm: DeviceAddress;
  feedForward: DeviceFeedForward;
}>;

/** Where a layer's experts are kept that come and go; undefined: on other cards alone. */
export type HeldExperts = (layer: number) => DeviceMlp | undefined;

/** A text model on a card, with all of its experts or those that are held. */
export type DeviceWeights = Readonly<{
  embedding: RowMatrix;
  layers: readonly DeviceLayer[];
  norm: DeviceAddress;
  head: DeviceLinear;
  /** Cosine and sine, [chunk, d / 2] pairs. */
  angles: DeviceAddress;
  /** Of each expert its place among a layer's matrices. */
  places: DeviceAddress;
}>;

/** Brings a text model's weights to the card: all of them, or all but the experts, which are those that are held. Errors: the checkpoint's; `overloaded` where the card is full. */
export async function loadDeviceWeights(
  config: ModelConfig,
  source: TextSource,
  uploader: LinearUploader,
  onLayer: (done: number, total: number) => void,
  held?: HeldExperts,
): Promise<DeviceWeights> {
  const { rows, quantization } = source;
  const layers: DeviceLayer[] = [];
  const counts = { global: 0, local: 0 };
  // The next layer's files are opened, and hashed where they are, while this one's are read.
  const opening = async (layer: number) =>
    at(await Promise.allSettled([layerRows(config, layer, rows, held === undefined)]), 0);
  let next = opening(0);
  for (let layer = 0; layer < config.layerCount; layer++) {
    const isGlobal = config.isGlobalLayer[layer] === true;
    const kindIndex = counts[isGlobal ? "global" : "local"]++;
    const found = await next;
    if (found.status === "rejected") throw found.reason;
    if (layer + 1 < config.layerCount) next = opening(layer + 1);
    layers.push({ isGlobal, kindIndex, ...(await loadLayer(config, layer, found.value, source, uploader, held)) });
    onLayer(layer + 1, config.layerCount);
  }
  const { cos, sin } = ropeTables(config, config.chunkSize);
  const angles = new Float32Array(2 * cos.length);
  for (const [i, value] of cos.entries()) angles.set([value, sin[i] as number], 2 * i);
  const weights = {
    embedding: await uploader.matrix(await rows.embedding()),
    layers,
    norm: uploader.vector(await rows.vector("model.norm.weight")),
    head: await uploader.upload([await rows.head()], { quantization: headFormat(quantization) }),
    angles: uploader.vector(angles),
    places: uploader.vector(Int32Array.from({ length: config.expertCount }, (_, expert) => expert)),
  };
  await uploader.finish();
  return weights;
}

async function loadLayer(
  config: ModelConfig,
  layer: number,
  { inputNorm, qkv, output, postNorm, mlp, moe }: LayerRows,
  { quantization }: TextSource,
  uploader: LinearUploader,
  held: HeldExperts | undefined,
): Promise<Omit<DeviceLayer, "isGlobal" | "kindIndex">> {
  const linear = (matrix: LinearRows): Promise<DeviceLinear> => uploader.upload([matrix], { quantization });
  const mlps = async (all: readonly MlpRows[], width: number): Promise<DeviceMlp> => {
    const gateUp = all.map((each) => each.gateUp);
    const down = all.map((each) => each.down);
    return {
      gateUp: await uploader.upload(gateUp, { isGated: true, quantization }),
      down: await uploader.upload(down, { quantization }),
      width,
    };
  };
  const { expertWidth, denseWidth } = config;
  return {
    inputNorm: uploader.vector(inputNorm),
    qkv: await linear(qkv),
    output: await linear(output),
    postNorm: uploader.vector(postNorm),
    feedForward:
      moe === undefined
        ? { kind: "dense", mlp: await mlps([mlp], denseWidth) }
        : {
            kind: "moe",
            moeIndex: moe.moeIndex,
            router: await uploader.matrix(moe.router),
            ...(held === undefined
              ? withShared(uploader, await mlps(moe.experts, expertWidth), await mlps([mlp], expertWidth))
              : { experts: held(layer), shared: await mlps([mlp], expertWidth), isJoined: false }),
          },
  };
}

/** In tiles one launch can multiply all experts, if the shared one is of their format. */
function withShared(uploader: LinearUploader, experts: DeviceMlp, shared: DeviceMlp) {
  const [gateUp, down] = [uploader.joined(experts.gateUp, shared.gateUp), uploader.joined(experts.down, shared.down)];
  if (gateUp?.format.kind !== "tiles" || down === undefined) return { experts, shared, isJoined: false };
  return { experts: { ...experts, gateUp, down }, shared, isJoined: true };
}
