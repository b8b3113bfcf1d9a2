import type { ModelConfig } from "@drover/checkpoint";
import type { KvKind } from "@drover/kv";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { RowSpan } from "../kernels/attention-kernels.ts";
import { jobCountMax } from "../kernels/linear-kernels.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import { HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { DeviceFeedForward, DeviceLayer, DeviceWeights } from "./device-weights.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { StepInputs } from "./step-inputs.ts";
import type { StepRows } from "./step-rows.ts";
import { swigluRows } from "./swiglu-rows.ts";

/** What decides which kernels a step is, and with which grids. */
export type StepShape = Readonly<{
  /** Rows, idle ones among them. */
  rowCount: number;
  parts: Readonly<Record<KvKind, number>>;
  /** Undefined: no rows attend in tiles. */
  tiling: StepTiling | undefined;
}>;

/** Tiles of a step's rows, and the most positions that one of them sees. */
type StepTiling = Readonly<{ tileCount: number; spans: readonly RowSpan[]; seen: Readonly<Record<KvKind, number>> }>;

/** Rows [first, first + count) of the wanted ones, and how many of the likeliest tokens are found for each. */
export type HeadRun = Readonly<{ first: number; count: number; topCount: number }>;

/** Rows whose shared expert is one more expert of the same launch; of more rows it has products of its own, that read its weights once. */
const JOINED_ROWS_MAX = 16;

/** Llama 4's text model as a sequence of kernels on one stream, with all of its experts. */
export class TextProgram {
  readonly #config: ModelConfig;
  readonly #kernels: ModelKernels;
  readonly #weights: DeviceWeights;
  readonly #buffers: StepBuffers;
  readonly #inputs: StepInputs;
  readonly #pages: DeviceAddress;

  constructor(
    config: ModelConfig,
    kernels: ModelKernels,
    weights: DeviceWeights,
    buffers: StepBuffers,
    inputs: StepInputs,
    pages: DeviceAddress,
  ) {
    this.#config = config;
    this.#kernels = kernels;
    this.#weights = weights;
    this.#buffers = buffers;
    this.#inputs = inputs;
    this.#pages = pages;
  }

  /** Enqueues the input embeddings of the rows' tokens. */
  embed(rowCount: number): void {
    const { h } = this.#buffers;
    const width = this.#config.hiddenSize;
    this.#kernels.embed(rowCount, { ids: this.#inputs.list("tokenIds"), table: this.#weights.embedding, h, width });
  }

  /** Enqueues all layers: what the head reads is in `h`, and what is to be added to it. */
  layers(shape: StepShape): void {
    let added: readonly DeviceAddress[] = [];
    for (const layer of this.#weights.layers) {
      this.#attention(layer, shape, added);
      added = this.#feedForward(layer.feedForward, layer.postNorm, shape.rowCount);
    }
    const { h, x } = this.#buffers;
    // The last layer's sums are added here, so that the head reads any rows of h.
    this.#normalize(shape.rowCount, h, added, this.#weights.norm, x);
  }

  /** Enqueues the head for some of the wanted rows; their likeliest tokens come to their places among all wanted rows. */
  head({ first, count, topCount }: HeadRun): void {
    const {
      h,
      headX,
      logits,
      candidates,
      marksOfParts: marks,
      topIds,
      topValues,
      logSumExps,
      askedValues,
    } = this.#buffers;
    const rows = this.#inputs.list("wanted", first);
    const { rmsNormEps: epsilon, hiddenSize: width, vocabSize } = this.#config;
    this.#kernels.normalize(count, { h, added: [], weight: this.#weights.norm, x: headX, rows, width, epsilon });
    this.#kernels.linear(count, { linear: this.#weights.head, x: headX, y: logits });
    const from = (list: DeviceAddress, each: number) => list + BigInt(4 * first * each);
    this.#kernels.rank(count, {
      logits,
      candidates,
      marks,
      asked: this.#inputs.list("asked", first),
      ids: from(topIds, TOP_COUNT_MAX),
      values: from(topValues, TOP_COUNT_MAX),
      logSumExps: from(logSumExps, 1),
      askedValues: from(askedValues, 1),
      vocabSize,
      topCount,
    });
  }

  #attention(layer: DeviceLayer, { rowCount, parts, tiling: all }: StepShape, added: readonly DeviceAddress[]): void {
    const { h, x, qkv, q, attended, sums, marks, added: out } = this.#buffers;
    const kind = layer.isGlobal ? "global" : "local";
    const at = { pages: this.#pages, table: this.#inputs.table, layer: layer.kindIndex };
    const places = this.#inputs.places(kind);
    const positions = this.#inputs.list("positions");
    this.#normalize(rowCount, h, added, layer.inputNorm, x);
    this.#kernels.linear(rowCount, { linear: layer.qkv, x, y: qkv });
    this.#kernels.rotate(rowCount, {
      qkv,
      q,
      at,
      places,
      positions,
      angles: layer.isGlobal ? undefined : this.#weights.angles,
      temperatures: layer.isGlobal ? this.#inputs.list("temperatures") : undefined,
      epsilon: this.#config.useQkNorm && !layer.isGlobal ? this.#config.rmsNormEps : 0,
    });
    const tiling = all && {
      spans: all.spans,
      list: this.#inputs.list("tiles"),
      tileCount: all.tileCount,
      positions: all.seen[kind],
    };
    this.#kernels.attend(rowCount, { q, at, places, positions, parts: parts[kind], tiling, sums, marks, y: attended });
    this.#kernels.linear(rowCount, { linear: layer.output, x: attended, y: out });
  }

  /** What is to be added to h after it. */
  #feedForward(part: DeviceFeedForward, norm: DeviceAddress, rowCount: number): readonly DeviceAddress[] {
    const { h, x, exact, added, gateUp, hidden, hiddenShared, routed } = this.#buffers;
    const { routerLogits, chosen, routing: lists } = this.#buffers;
    const { expertCount, moeLayers, hiddenSize: width } = this.#config;
    if (part.kind === "dense") {
      this.#normalize(rowCount, h, [added], norm, x);
      swigluRows(this.#kernels, part.mlp, rowCount, { x, y: added, gateUp, hidden });
      return [added];
    }
    this.#normalize(rowCount, h, [added], norm, x, exact);
    this.#kernels.router(rowCount, { x: exact, matrix: part.router, logits: routerLogits, expertCount, width });
    const { precision } = this.#kernels.activations;
    const routing = { ...lists, jobCountMax: jobCountMax(rowCount, expertCount, precision), expertCount };
    const fold = part.isJoined && rowCount <= JOINED_ROWS_MAX ? this.#buffers.rowsMax : 0;
    this.#kernels.route(rowCount, {
      logits: routerLogits,
      live: this.#inputs.live,
      places: this.#weights.places,
      chosen,
      routing,
      expertCount,
      stride: moeLayers.length,
      column: part.moeIndex,
      ...(fold > 0 && { shared: { matrix: part.experts.gateUp.count - 1, fold } }),
    });
    const { scales } = routing;
    swigluRows(this.#kernels, part.experts, rowCount, { x, y: routed, gateUp, hidden, routing, scales, fold });
    if (fold === 0) swigluRows(this.#kernels, part.shared, rowCount, { x, y: added, gateUp, hidden: hiddenShared });
    return [added, routed];
  }

  #normalize(
    rowCount: number,
    h: DeviceAddress,
    added: readonly DeviceAddress[],
    weight: DeviceAddress,
    x: DeviceAddress,
    exact?: DeviceAddress,
  ): void {
    const { hiddenSize: width, rmsNormEps: epsilon } = this.#config;
    this.#kernels.normalize(rowCount, { h, added, weight, x, width, epsilon, ...(exact !== undefined && { exact }) });
  }
}

/** Cuts so many wanted rows into runs of the head. */
export function headRuns(wantedCount: number, topCount: number): readonly HeadRun[] {
  return Array.from({ length: Math.ceil(wantedCount / HEAD_ROWS_MAX) }, (_, i) => {
    const first = i * HEAD_ROWS_MAX;
    return { first, count: Math.min(HEAD_ROWS_MAX, wantedCount - first), topCount };
  });
}

/** How a step's rows attend, where none of them is idle. */
export function shapeOf({ rowCount, parts, tiles, spans, seen }: StepRows): StepShape {
  return { rowCount, parts, tiling: tiles.length === 0 ? undefined : { tileCount: tiles.length, spans, seen } };
}
