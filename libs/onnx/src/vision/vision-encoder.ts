import { type Checkpoint, type VisionConfig, VisionWeights } from "@drover/checkpoint";
import { assert, DroverError } from "@drover/core";
import { visionRopeTables } from "@drover/llama4";
import { visionEnterGraph, visionExitGraph, visionLayerGraph } from "../graphs/vision-stages.ts";
import { VISION_ROWS_MAX } from "../limits.ts";
import { f32, Session, type SessionOptions, u8 } from "../session.ts";

const OUTPUTS = ["out"];

/** Llama 4's vision encoder with adapter and projector: tiles to rows of the text model's width. Runs on the calling thread. */
export class VisionEncoder implements Disposable {
  readonly config: VisionConfig;
  readonly #stages: readonly Session[];

  private constructor(config: VisionConfig, stages: readonly Session[]) {
    this.config = config;
    this.#stages = stages;
  }

  /**
   * Loads layer by layer: one layer's weights are in memory twice. `isAbandoned` is asked before each.
   * Errors: the checkpoint's, naming file and tensor; `cancelled` when it was abandoned.
   */
  static async load(
    checkpoint: Checkpoint,
    config: VisionConfig,
    options: SessionOptions,
    isAbandoned: () => boolean = never,
  ): Promise<VisionEncoder> {
    const weights = new VisionWeights(checkpoint, config);
    const stages: Session[] = [];
    try {
      const enter = await weights.entry();
      stages.push(new Session("vision enter", visionEnterGraph(config, enter), OUTPUTS, options));
      // Only now, when the positions' tensor has confirmed how many there are.
      const rope = visionRopeTables(config);
      for (let layer = 0; layer < config.layerCount; layer++) {
        if (isAbandoned()) throw abandoned();
        const graph = visionLayerGraph(config, await weights.layer(layer), rope);
        stages.push(new Session(`vision layer ${layer}`, graph, OUTPUTS, options));
      }
      stages.push(new Session("vision exit", visionExitGraph(config, await weights.exit()), OUTPUTS, options));
      return new VisionEncoder(config, stages);
    } catch (error) {
      for (const stage of stages) stage[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Features of tiles, [tileCount * rowsPerTile, D].
   * `isAbandoned` is asked before each stage, which takes a fraction of a second. Errors: `cancelled` when it was abandoned.
   * @param pixels grey levels, [tileCount, imageSize, imageSize, 3] row-major
   */
  encode(tileCount: number, pixels: Uint8Array, isAbandoned: () => boolean = never): Float32Array<ArrayBuffer> {
    const { imageSize, gridSize, rowsPerTile, textHiddenSize } = this.config;
    const tileBytes = imageSize ** 2 * 3;
    assert(tileCount > 0 && pixels.length === tileCount * tileBytes, "tiles have the model's size");
    const features = new Float32Array(tileCount * rowsPerTile * textHiddenSize);
    const tilesPerRun = Math.max(1, Math.floor(VISION_ROWS_MAX / (gridSize ** 2 + 1)));
    for (let first = 0; first < tileCount; first += tilesPerRun) {
      const count = Math.min(tilesPerRun, tileCount - first);
      const rows = this.#run(count, pixels.subarray(first * tileBytes, (first + count) * tileBytes), isAbandoned);
      features.set(rows, first * rowsPerTile * textHiddenSize);
    }
    return features;
  }

  #run(tileCount: number, pixels: Uint8Array, isAbandoned: () => boolean): Float32Array {
    const { imageSize, hiddenSize, gridSize } = this.config;
    const dims = [tileCount * (gridSize ** 2 + 1), hiddenSize];
    const [enter, ...rest] = this.#stages;
    assert(enter !== undefined, "an encoder has stages");
    let x = enter.runFlat({ pixels: u8(pixels, [tileCount, imageSize, imageSize, 3]) });
    for (const stage of rest) {
      if (isAbandoned()) throw abandoned();
      x = stage.runFlat({ x: f32(x, dims) });
    }
    return x;
  }

  [Symbol.dispose](): void {
    for (const stage of this.#stages) stage[Symbol.dispose]();
  }
}

const never = () => false;

function abandoned(): DroverError {
  return new DroverError("cancelled", "nobody wants it any more");
}
