import type { ModelConfig } from "@drover/checkpoint";
import { assert, at } from "@drover/core";
import type { KvKind } from "@drover/kv";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { RowSpan } from "../kernels/attention-kernels.ts";
import { jobCountMax } from "../kernels/linear-kernels.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import type { Routing } from "../kernels/product.ts";
import { HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { DeviceFeedForward, DeviceLayer, DeviceWeights } from "./device-weights.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { StepExchange } from "./step-exchange.ts";
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

/** What follows a layer's gate: an exchange of a layer with experts, by its place among them. */
type ExpertPart = Extract<DeviceFeedForward, { kind: "moe" }>;

/**
 * Llama 4's text model as a sequence of kernels on one stream, with all of its experts; or in sections, between which rows go to other workers' experts and come
 * back.
 */
export class TextProgram {
  readonly #config: ModelConfig;
  readonly #kernels: ModelKernels;
  readonly #weights: DeviceWeights;
  readonly #buffers: StepBuffers;
  readonly #inputs: StepInputs;
  readonly #pages: DeviceAddress;
  readonly #exchange: StepExchange | undefined;

  constructor(
    config: ModelConfig,
    kernels: ModelKernels,
    weights: DeviceWeights,
    buffers: StepBuffers,
    inputs: StepInputs,
    pages: DeviceAddress,
    exchange?: StepExchange,
  ) {
    this.#config = config;
    this.#kernels = kernels;
    this.#weights = weights;
    this.#buffers = buffers;
    this.#inputs = inputs;
    this.#pages = pages;
    this.#exchange = exchange;
  }

  /** How often a step's rows go to other workers: once in each layer with experts, or never. */
  get exchangeCount(): number {
    return this.#exchange?.count ?? 0;
  }

  /** Enqueues the input embeddings of the rows' tokens. */
  embed(rowCount: number): void {
    const { h } = this.#buffers;
    const width = this.#config.hiddenSize;
    this.#kernels.embed(rowCount, { ids: this.#inputs.list("tokenIds"), table: this.#weights.embedding, h, width });
  }

  /** Enqueues all layers of a model whose rows never go to other workers: what the head reads is in `h`. */
  layers(shape: StepShape): void {
    this.section(0, shape);
  }

  /**
   * Enqueues a section: from the answers of exchange `index - 1`, or from the input embeddings, up to the rows of exchange `index`, or to the end, where what the
   * head reads is in `h`.
   */
  section(index: number, shape: StepShape): void {
    const { h, x, added: own, routed } = this.#buffers;
    let added: readonly DeviceAddress[] = index === 0 ? [] : [own, routed];
    if (index > 0) this.#exchange?.bring(shape.rowCount, this.#buffers);
    const first = index === 0 ? 0 : at(this.#config.moeLayers, index - 1) + 1;
    for (const layer of this.#weights.layers.slice(first)) {
      const { feedForward, postNorm } = layer;
      this.#attention(layer, shape, added);
      if (this.#exchange !== undefined && feedForward.kind === "moe") {
        this.#gate(feedForward, postNorm, shape.rowCount, this.#exchange.places(feedForward.moeIndex), false);
        this.#exchange.give(shape.rowCount, feedForward.moeIndex, this.#buffers, this.#inputs.live);
        return;
      }
      added = this.#feedForward(feedForward, postNorm, shape.rowCount);
    }
    // The last layer's sums are added here, so that the head reads any rows of h.
    this.#normalize(shape.rowCount, h, added, this.#weights.norm, x);
  }

  /** Enqueues what an exchange's rows are not needed for: the shared expert, and the experts that are here. */
  meanwhile(index: number, { rowCount }: StepShape): void {
    const part = this.#weights.layers[at(this.#config.moeLayers, index)]?.feedForward;
    assert(part?.kind === "moe", "an exchange is of a layer with experts");
    this.#experts(part, rowCount, false);
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
    const place = { pages: this.#pages, table: this.#inputs.table, layer: layer.kindIndex };
    const places = this.#inputs.places(kind);
    const positions = this.#inputs.list("positions");
    this.#normalize(rowCount, h, added, layer.inputNorm, x);
    this.#kernels.linear(rowCount, { linear: layer.qkv, x, y: qkv });
    this.#kernels.rotate(rowCount, {
      qkv,
      q,
      at: place,
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
    this.#kernels.attend(rowCount, {
      q,
      at: place,
      places,
      positions,
      parts: parts[kind],
      tiling,
      sums,
      marks,
      y: attended,
    });
    this.#kernels.linear(rowCount, { linear: layer.output, x: attended, y: out });
  }

  /** What is to be added to h after it. */
  #feedForward(part: DeviceFeedForward, norm: DeviceAddress, rowCount: number): readonly DeviceAddress[] {
    const { h, x, added, gateUp, hidden, routed } = this.#buffers;
    if (part.kind === "dense") {
      this.#normalize(rowCount, h, [added], norm, x);
      swigluRows(this.#kernels, part.mlp, rowCount, { x, y: added, gateUp, hidden });
      return [added];
    }
    const isJoined = part.isJoined && rowCount <= JOINED_ROWS_MAX;
    this.#gate(part, norm, rowCount, this.#weights.places, isJoined);
    this.#experts(part, rowCount, isJoined);
    return [added, routed];
  }

  /** Each row's expert, and the jobs of those that `places` says are here; of the shared one too where it is joined to them. */
  #gate(part: ExpertPart, norm: DeviceAddress, rowCount: number, places: DeviceAddress, isJoined: boolean): void {
    const { h, x, exact, added, routerLogits, chosen } = this.#buffers;
    const { expertCount, moeLayers, hiddenSize: width } = this.#config;
    const other = this.#expertRows(rowCount) === x ? {} : { other: this.#buffers.routedX };
    const { rmsNormEps: epsilon } = this.#config;
    this.#kernels.normalize(rowCount, { h, added: [added], weight: norm, x, exact, ...other, width, epsilon });
    this.#kernels.router(rowCount, { x: exact, matrix: part.router, logits: routerLogits, expertCount, width });
    const count = part.experts?.gateUp.count ?? 0;
    this.#kernels.route(rowCount, {
      logits: routerLogits,
      live: this.#inputs.live,
      places,
      chosen,
      routing: this.#routing(rowCount),
      expertCount,
      stride: moeLayers.length,
      column: part.moeIndex,
      ...(isJoined && { shared: { matrix: count - 1, fold: this.#buffers.rowsMax } }),
    });
  }

  /** The rows of the experts that are here, and of the shared one. */
  #experts({ experts, shared }: ExpertPart, rowCount: number, isJoined: boolean): void {
    const { x, added, gateUp, hidden, hiddenShared, routed } = this.#buffers;
    const routing = this.#routing(rowCount);
    const { scales } = routing;
    const fold = isJoined ? this.#buffers.rowsMax : 0;
    if (experts !== undefined)
      swigluRows(this.#kernels, experts, rowCount, {
        ...{ x: this.#expertRows(rowCount), y: routed, gateUp, hidden },
        ...{ routing, scales, fold },
      });
    if (!isJoined) swigluRows(this.#kernels, shared, rowCount, { x, y: added, gateUp, hidden: hiddenShared });
  }

  /** What so many rows' experts read. */
  #expertRows(rowCount: number): DeviceAddress {
    const { activations } = this.#kernels;
    const isAlike = activations.isGrouped(rowCount) === activations.isGrouped(rowCount, this.#config.expertCount);
    return isAlike ? this.#buffers.x : this.#buffers.routedX;
  }

  #routing(rowCount: number): Routing {
    const { expertCount } = this.#config;
    const { precision } = this.#kernels.activations;
    return {
      ...this.#buffers.routing,
      jobCountMax: jobCountMax(rowCount, expertCount, precision),
      expertCount,
    };
  }

  #normalize(
    rowCount: number,
    h: DeviceAddress,
    added: readonly DeviceAddress[],
    weight: DeviceAddress,
    x: DeviceAddress,
  ): void {
    const { hiddenSize: width, rmsNormEps: epsilon } = this.#config;
    this.#kernels.normalize(rowCount, { h, added, weight, x, width, epsilon });
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
