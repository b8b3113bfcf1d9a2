import type { VisionConfig } from "@drover/checkpoint";
import { at } from "@drover/core";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { patchWidth, type VisionKernels } from "../kernels/vision-kernels.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { DeviceBiased, DeviceVision } from "./device-vision.ts";

/** Memory for so many tiles at once: rows between products, pixels and features. Rows of f16 are zero behind their width from the start. */
export type VisionBuffers = Readonly<
  Record<
    "pixels" | "patchRows" | "h" | "qkv" | "y" | "x" | "attended" | "inner" | "shuffled" | "adapted" | "projected",
    DeviceAddress
  > & { features: DeviceAddress }
>;

type BufferCard = Readonly<{ device: CudaDevice; memory: DeviceMemory; stream: Stream }>;

/** Takes memory for so many tiles. Errors: `overloaded` where the card is full. */
export function allocateVision(
  config: VisionConfig,
  tileCount: number,
  { activations }: Pick<VisionKernels, "activations">,
  { device, memory, stream }: BufferCard,
): VisionBuffers {
  const { gridSize, hiddenSize, mlpWidth, rowsPerTile, adapterWidth, outputWidth, textHiddenSize, imageSize } = config;
  const rowCount = tileCount * (gridSize ** 2 + 1);
  const squareCount = tileCount * rowsPerTile;
  const room = (byteCount: number) => {
    const address = memory.allocate("activations", byteCount);
    device.fill(address, 0, byteCount, stream);
    return address;
  };
  const floats = (count: number, width: number) => room(4 * count * width);
  const rows = (count: number, width: number) => room(count * activations.rowBytes(width));
  return {
    pixels: room(tileCount * imageSize ** 2 * 3),
    patchRows: rows(tileCount * gridSize ** 2, patchWidth(config)),
    h: floats(rowCount, hiddenSize),
    qkv: floats(rowCount, 3 * hiddenSize),
    y: room(4 * Math.max(rowCount * mlpWidth, squareCount * Math.max(adapterWidth, outputWidth))),
    x: rows(rowCount, hiddenSize),
    attended: rows(rowCount, hiddenSize),
    inner: rows(rowCount, mlpWidth),
    shuffled: rows(squareCount, mlpWidth),
    adapted: rows(squareCount, adapterWidth),
    projected: rows(squareCount, outputWidth),
    features: floats(squareCount, textHiddenSize),
  };
}

/** Llama 4's vision encoder, adapter and projector as a sequence of kernels on one stream, in stages that are enqueued one by one. */
export class VisionProgram {
  /** Stages: one that makes rows of pixels, the layers, and one that makes features. */
  readonly stageCount: number;
  readonly #config: VisionConfig;
  readonly #kernels: VisionKernels;
  readonly #weights: DeviceVision;
  readonly #buffers: VisionBuffers;

  constructor(config: VisionConfig, kernels: VisionKernels, weights: DeviceVision, buffers: VisionBuffers) {
    this.stageCount = config.layerCount + 2;
    this.#config = config;
    this.#kernels = kernels;
    this.#weights = weights;
    this.#buffers = buffers;
  }

  /** Enqueues a stage for so many tiles, whose pixels are in the buffers before the first; their features are there behind the last. */
  stage(index: number, tileCount: number): void {
    if (index === 0) this.#enter(tileCount);
    else if (index <= this.#config.layerCount) this.#layer(index - 1, tileCount);
    else this.#exit(tileCount);
  }

  #enter(tileCount: number): void {
    const { patches, classRow, positions, enterNorm } = this.#weights;
    const { pixels, patchRows, y, h } = this.#buffers;
    this.#kernels.patches(tileCount, pixels, patchRows);
    this.#multiply(tileCount * this.#config.gridSize ** 2, patches, patchRows, y);
    this.#kernels.tileRowsOf(tileCount, { projected: y, classRow, positions, h });
    this.#kernels.normalizeInPlace(this.#rowCount(tileCount), { h, ...enterNorm });
  }

  #layer(index: number, tileCount: number): void {
    const rowCount = this.#rowCount(tileCount);
    const { inputNorm, mlpNorm, qkv, output, fc1 } = at(this.#weights.layers, index);
    const { h, x, attended, inner, y, qkv: heads } = this.#buffers;
    this.#kernels.normalize(rowCount, { h, ...this.#before(index), ...inputNorm, x });
    this.#multiply(rowCount, qkv.linear, x, heads);
    this.#kernels.turnHeads(tileCount, { qkv: heads, bias: qkv.bias, angles: this.#weights.angles });
    this.#kernels.attend(tileCount, { qkv: heads, y: attended });
    this.#multiply(rowCount, output.linear, attended, y);
    this.#kernels.normalize(rowCount, { h, added: { y, bias: output.bias }, ...mlpNorm, x });
    this.#bent(rowCount, fc1, x, inner);
    this.#multiply(rowCount, at(this.#weights.layers, index).fc2.linear, inner, y);
  }

  #exit(tileCount: number): void {
    const { textHiddenSize: width, rowsPerTile, layerCount } = this.#config;
    const { exitNorm, adapter, projector } = this.#weights;
    const { h, shuffled, adapted, projected, features } = this.#buffers;
    const squareCount = tileCount * rowsPerTile;
    this.#kernels.normalizeShuffled(tileCount, { h, ...this.#before(layerCount), ...exitNorm, x: shuffled });
    this.#bent(squareCount, adapter[0], shuffled, adapted);
    this.#bent(squareCount, adapter[1], adapted, projected);
    this.#multiply(squareCount, projector.linear, projected, features);
    if (projector.bias !== 0n) this.#kernels.addBias(squareCount, { y: features, bias: projector.bias, width });
  }

  /** What the layer before one has left to add. */
  #before(index: number): { added?: Readonly<{ y: DeviceAddress; bias: DeviceAddress }> } {
    return index === 0 ? {} : { added: { y: this.#buffers.y, bias: at(this.#weights.layers, index - 1).fc2.bias } };
  }

  /** x through a Linear, its bias and GELU. */
  #bent(rowCount: number, { linear, bias }: DeviceBiased, x: DeviceAddress, to: DeviceAddress): void {
    const { y } = this.#buffers;
    this.#multiply(rowCount, linear, x, y);
    this.#kernels.bend(rowCount, { y, bias, x: to, width: linear.outSize });
  }

  #multiply(rowCount: number, linear: DeviceBiased["linear"], x: DeviceAddress, y: DeviceAddress): void {
    this.#kernels.linears.multiply(rowCount, { linear, x, y });
  }

  #rowCount(tileCount: number): number {
    return tileCount * this.#kernels.tileRows;
  }
}
