import type { ModelConfig } from "@drover/checkpoint";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import type { DeviceLayer } from "./device-weights.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { StepInputs } from "./step-inputs.ts";
import type { StepShape } from "./step-shape.ts";

/** A layer's attention as kernels on one stream, from its projection to what its rows attend to. */
export class LayerAttention {
  readonly #config: ModelConfig;
  readonly #kernels: ModelKernels;
  readonly #buffers: StepBuffers;
  readonly #inputs: StepInputs;
  readonly #pages: DeviceAddress;
  readonly #angles: DeviceAddress | undefined;

  /** `angles`: of the layers that rotate. */
  constructor(
    config: ModelConfig,
    kernels: ModelKernels,
    buffers: StepBuffers,
    inputs: StepInputs,
    pages: DeviceAddress,
    angles: DeviceAddress | undefined,
  ) {
    this.#config = config;
    this.#kernels = kernels;
    this.#buffers = buffers;
    this.#inputs = inputs;
    this.#pages = pages;
    this.#angles = angles;
  }

  /** Enqueues the rows' queries, and their keys and values in their places. */
  queries(layer: DeviceLayer, rowCount: number): void {
    const { x, qkv, q } = this.#buffers;
    this.#kernels.linear(rowCount, { linear: layer.qkv, x, y: qkv });
    this.#kernels.rotate(rowCount, {
      qkv,
      q,
      ...this.#placesOf(layer),
      angles: layer.isGlobal ? undefined : this.#angles,
      temperatures: layer.isGlobal ? this.#inputs.list("temperatures") : undefined,
      epsilon: this.#config.useQkNorm && !layer.isGlobal ? this.#config.rmsNormEps : 0,
    });
  }

  /** Enqueues the rows' attention to what is on the card. */
  attend(layer: DeviceLayer, { rowCount, seen, tiling: all, isStriped }: StepShape): void {
    const { q, attended, sums, marks, lse } = this.#buffers;
    const kind = layer.isGlobal ? "global" : "local";
    const tiling = all && {
      spans: all.spans,
      list: this.#inputs.list("tiles"),
      tileCount: all.tileCount,
      positions: seen[kind],
    };
    this.#kernels.attend(rowCount, {
      q,
      ...this.#placesOf(layer),
      seen: seen[kind],
      tiling,
      sums,
      marks,
      y: attended,
      ...(isStriped === true && layer.isGlobal && { lse }),
    });
  }

  /** Where a layer's keys and values are. */
  #placesOf({ isGlobal, kindIndex }: DeviceLayer) {
    return {
      at: { pages: this.#pages, table: this.#inputs.table, layer: kindIndex },
      places: this.#inputs.places(isGlobal ? "global" : "local"),
      positions: this.#inputs.list("positions"),
    };
  }
}
