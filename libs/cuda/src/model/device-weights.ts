import { type LinearRows, type ModelConfig, stackRows, type TextWeights } from "@drover/checkpoint";
import { ropeTables } from "@drover/llama4";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { DeviceLinear, RowMatrix } from "../kernels/product.ts";
import type { LinearUploader } from "./device-linear.ts";

/** Where a model's matrices come from. */
export type TextSource = Pick<TextWeights, "vector" | "linearRows" | "expertRows" | "embeddingRows">;

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
      experts: DeviceMlp;
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

/** A text model on a card, with all of its experts. */
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

/** Brings all of a text model's weights to the card. Errors: the checkpoint's; `overloaded` where the card is full. */
export async function loadDeviceWeights(
  config: ModelConfig,
  source: TextSource,
  uploader: LinearUploader,
  onLayer: (done: number, total: number) => void,
): Promise<DeviceWeights> {
  const layers: DeviceLayer[] = [];
  const counts = { global: 0, local: 0 };
  for (let layer = 0; layer < config.layerCount; layer++) {
    const isGlobal = config.isGlobalLayer[layer] === true;
    const kindIndex = counts[isGlobal ? "global" : "local"]++;
    layers.push({ isGlobal, kindIndex, ...(await loadLayer(config, layer, source, uploader)) });
    onLayer(layer + 1, config.layerCount);
  }
  const { cos, sin } = ropeTables(config, config.chunkSize);
  const angles = new Float32Array(2 * cos.length);
  for (const [i, value] of cos.entries()) angles.set([value, sin[i] as number], 2 * i);
  return {
    embedding: await uploader.matrix(await source.embeddingRows()),
    layers,
    norm: uploader.vector(await source.vector("model.norm.weight")),
    head: await uploader.upload([await source.linearRows("lm_head")]),
    angles: uploader.vector(angles),
    places: uploader.vector(Int32Array.from({ length: config.expertCount }, (_, expert) => expert)),
  };
}

async function loadLayer(
  config: ModelConfig,
  layer: number,
  source: TextSource,
  uploader: LinearUploader,
): Promise<Omit<DeviceLayer, "isGlobal" | "kindIndex">> {
  const path = `model.layers.${layer}`;
  const rows = async (...names: readonly string[]): Promise<LinearRows> => {
    const parts: LinearRows[] = [];
    for (const name of names) parts.push(await source.linearRows(`${path}.${name}`));
    return stackRows(parts);
  };
  const linear = async (...names: readonly string[]): Promise<DeviceLinear> => uploader.upload([await rows(...names)]);
  const mlp = async (name: string, width: number): Promise<DeviceMlp> => ({
    gateUp: await uploader.upload([await rows(`${name}.gate_proj`, `${name}.up_proj`)], true),
    down: await linear(`${name}.down_proj`),
    width,
  });
  const moeIndex = config.moeLayers.indexOf(layer);
  return {
    inputNorm: uploader.vector(await source.vector(`${path}.input_layernorm.weight`)),
    qkv: await linear("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    output: await linear("self_attn.o_proj"),
    postNorm: uploader.vector(await source.vector(`${path}.post_attention_layernorm.weight`)),
    feedForward:
      moeIndex < 0
        ? { kind: "dense", mlp: await mlp("feed_forward", config.denseWidth) }
        : {
            kind: "moe",
            moeIndex,
            router: await uploader.matrix(await source.linearRows(`${path}.feed_forward.router`)),
            ...withShared(
              uploader,
              await loadExperts(config, layer, source, uploader),
              await mlp("feed_forward.shared_expert", config.expertWidth),
            ),
          },
  };
}

async function loadExperts(
  { expertCount, expertWidth }: ModelConfig,
  layer: number,
  source: TextSource,
  uploader: LinearUploader,
): Promise<DeviceMlp> {
  const gateUp: LinearRows[] = [];
  const down: LinearRows[] = [];
  for (let expert = 0; expert < expertCount; expert++) {
    const rows = await source.expertRows(layer, expert);
    gateUp.push(rows.gateUp);
    down.push(rows.down);
  }
  return { gateUp: await uploader.upload(gateUp, true), down: await uploader.upload(down), width: expertWidth };
}

/** In tiles one launch can multiply all experts, if the shared one is of their format. */
function withShared(uploader: LinearUploader, experts: DeviceMlp, shared: DeviceMlp) {
  const [gateUp, down] = [uploader.joined(experts.gateUp, shared.gateUp), uploader.joined(experts.down, shared.down)];
  if (gateUp?.format.kind !== "tiles" || down === undefined) return { experts, shared, isJoined: false };
  return { experts: { ...experts, gateUp, down }, shared, isJoined: true };
}
