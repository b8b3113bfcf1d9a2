import type { ModelConfig } from "@drover/checkpoint";
import { assert, at } from "@drover/core";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import { jobCountMax } from "../kernels/linear-kernels.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import type { Routing } from "../kernels/product.ts";
import { HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { StepStripes } from "../stripes/step-stripes.ts";
import type { DeviceFeedForward, DeviceLayer, DeviceWeights } from "./device-weights.ts";
import { LayerAttention } from "./layer-attention.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { StepExchange } from "./step-exchange.ts";
import type { StepInputs } from "./step-inputs.ts";
import type { AwayPort, StepStop } from "./step-sections.ts";
import type { StepShape } from "./step-shape.ts";
import { swigluRows } from "./swiglu-rows.ts";

/** Rows [first, first + count) of the wanted ones, and how many of the likeliest tokens are found for each. */
export type HeadRun = Readonly<{ first: number; count: number; topCount: number }>;

/** Rows whose shared expert is one more expert of the same launch; of more rows it has products of its own, that read its weights once. */
const JOINED_ROWS_MAX = 16;

/** The residual stream before what is to be added to it. */
type PendingSum = Readonly<{ before: DeviceAddress; added: readonly DeviceAddress[] }>;

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
  readonly #attention: LayerAttention;
  readonly #stripes: StepStripes | undefined;
  readonly #exchange: StepExchange | undefined;
  readonly #stops: Readonly<Record<"whole" | "striped", readonly StepStop[]>>;

  constructor(
    config: ModelConfig,
    kernels: ModelKernels,
    weights: DeviceWeights,
    buffers: StepBuffers,
    inputs: StepInputs,
    pages: DeviceAddress,
    exchange?: StepExchange,
    stripes?: StepStripes,
  ) {
    this.#config = config;
    this.#kernels = kernels;
    this.#weights = weights;
    this.#buffers = buffers;
    this.#inputs = inputs;
    this.#attention = new LayerAttention(config, kernels, buffers, inputs, pages, weights.angles);
    this.#stripes = stripes;
    this.#exchange = exchange;
    const stops = weights.layers.flatMap(stopsOf);
    const whole = stops.filter(({ kind }) => kind === "experts" && exchange !== undefined);
    const striped = stops.filter(({ kind }) => kind === "stripes" || exchange !== undefined);
    this.#stops = { whole, striped };
  }

  /** Where a step waits for other workers: in each layer with experts where they have some, and in each global layer where they have old rows. */
  stops({ isStriped = false }: Pick<StepShape, "isStriped">): readonly StepStop[] {
    return isStriped ? this.#stops.striped : this.#stops.whole;
  }

  /** Who answers the rows of a stop. */
  port(kind: StepStop["kind"]): AwayPort {
    const port = kind === "stripes" ? this.#stripes : this.#exchange;
    assert(port !== undefined, "a step stops where other workers have a part of it");
    return port;
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
   * Enqueues a section: from the answers of stop `index - 1`, or from the input embeddings, up to the rows of stop `index`, or to the end, where what the
   * head reads is in `h`.
   */
  section(index: number, shape: StepShape): void {
    const { h, x, q } = this.#buffers;
    const { rowCount } = shape;
    const stops = this.stops(shape);
    const [from, until] = [stops[index - 1], stops[index]];
    const { layers } = this.#weights;
    let sum: PendingSum | undefined = from === undefined ? { before: h, added: [] } : this.#resume(from, shape);
    for (let i = from === undefined ? 0 : from.layer + 1; sum !== undefined && i < layers.length; i++) {
      const layer = at(layers, i);
      this.#normalize(rowCount, sum, layer.inputNorm, x);
      this.#attention.queries(layer, rowCount);
      if (until?.kind === "stripes" && until.layer === i) {
        this.#stripes?.give(q);
        return;
      }
      this.#attention.attend(layer, shape);
      sum = this.#afterAttention(layer, shape);
    }
    if (sum === undefined) return;
    // The last layer's sums are added here, so that the head reads any rows of h.
    this.#normalize(rowCount, sum, this.#weights.norm, x);
  }

  /** Enqueues what the rows of a stop are not needed for: the shared expert, and the experts that are here; or attention over what is here. */
  meanwhile(index: number, shape: StepShape): void {
    const stop = at(this.stops(shape), index);
    const layer = at(this.#weights.layers, stop.layer);
    if (stop.kind === "stripes") this.#attention.attend(layer, shape);
    else this.#experts(expertsOf(layer), shape.rowCount, false);
  }

  /** Takes in the answers of a stop and enqueues the rest of its layer. The residual stream after it; undefined: the layer has another stop. */
  #resume({ kind, layer }: StepStop, shape: StepShape): PendingSum | undefined {
    const { attended } = this.#buffers;
    if (kind === "stripes") {
      this.#stripes?.bring(shape.rowCount, attended);
      return this.#afterAttention(at(this.#weights.layers, layer), shape);
    }
    this.#exchange?.bring(shape, this.#buffers);
    return this.#behindExperts(shape.rowCount);
  }

  /** A layer from what its rows attend to on. The residual stream after it; undefined: rows wait for other workers' experts. */
  #afterAttention(layer: DeviceLayer, shape: StepShape): PendingSum | undefined {
    const { attended, added } = this.#buffers;
    const { rowCount } = shape;
    const { feedForward, postNorm } = layer;
    this.#kernels.linear(rowCount, { linear: layer.output, x: attended, y: added });
    if (this.#exchange === undefined || feedForward.kind !== "moe")
      return this.#feedForward(feedForward, postNorm, rowCount);
    this.#gate(feedForward, postNorm, rowCount, this.#exchange.places(feedForward.moeIndex), false);
    this.#exchange.give(shape, feedForward.moeIndex, this.#buffers, this.#inputs.live);
    return undefined;
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

  /** The residual stream after it. */
  #feedForward(part: DeviceFeedForward, norm: DeviceAddress, rowCount: number): PendingSum {
    const { h, x, added, gateUp, hidden } = this.#buffers;
    if (part.kind === "dense") {
      this.#normalize(rowCount, { before: h, added: [added] }, norm, x);
      swigluRows(this.#kernels, part.mlp, rowCount, { x, y: added, gateUp, hidden });
      return { before: h, added: [added] };
    }
    const isJoined = part.isJoined && rowCount <= JOINED_ROWS_MAX;
    this.#gate(part, norm, rowCount, this.#weights.places, isJoined);
    this.#experts(part, rowCount, isJoined);
    return this.#behindExperts(rowCount);
  }

  /** Each row's expert, and the jobs of those that `places` says are here; of the shared one too where it is joined to them. */
  #gate(part: ExpertPart, norm: DeviceAddress, rowCount: number, places: DeviceAddress, isJoined: boolean): void {
    const { h, x, exact, added, routerLogits: logits, chosen, chosenH, arrived } = this.#buffers;
    const { expertCount, moeLayers, hiddenSize: width } = this.#config;
    const { rmsNormEps: epsilon } = this.#config;
    const count = part.experts?.gateUp.count ?? 0;
    const norms = { weight: norm, x, exact, width, epsilon };
    const rows = { live: this.#inputs.live, places, chosen, routing: this.#routing(rowCount), expertCount, logits };
    const shared = isJoined && { shared: { matrix: count - 1, fold: this.#buffers.rowsMax } };
    const step = { ...rows, stride: moeLayers.length, column: part.moeIndex, ...shared };
    if (this.#kernels.canChoose(rowCount)) {
      const { router: matrix } = part;
      this.#kernels.choose(rowCount, { before: h, added, h: chosenH, ...norms, matrix, arrived, ...step });
      return;
    }
    const other = this.#expertRows(rowCount) === x ? {} : { other: this.#buffers.routedX };
    this.#kernels.normalize(rowCount, { h, added: [added], ...norms, ...other });
    this.#kernels.router(rowCount, { x: exact, matrix: part.router, logits, expertCount, width });
    this.#kernels.route(rowCount, step);
  }

  /** The residual stream of so many rows behind a layer with experts. */
  #behindExperts(rowCount: number): PendingSum {
    const { h, chosenH, added, routed } = this.#buffers;
    return { before: this.#kernels.canChoose(rowCount) ? chosenH : h, added: [added, routed] };
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

  /** The residual stream in h, and x its norm. */
  #normalize(rowCount: number, { before, added }: PendingSum, weight: DeviceAddress, x: DeviceAddress): void {
    const { h } = this.#buffers;
    const { hiddenSize: width, rmsNormEps: epsilon } = this.#config;
    this.#kernels.normalize(rowCount, { before, h, added, weight, x, width, epsilon });
  }
}

/** Cuts so many wanted rows into runs of the head. */
export function headRuns(wantedCount: number, topCount: number): readonly HeadRun[] {
  return Array.from({ length: Math.ceil(wantedCount / HEAD_ROWS_MAX) }, (_, i) => {
    const first = i * HEAD_ROWS_MAX;
    return { first, count: Math.min(HEAD_ROWS_MAX, wantedCount - first), topCount };
  });
}

/** Where a layer's rows may have to wait. */
function stopsOf({ isGlobal, kindIndex, feedForward }: DeviceLayer, layer: number): readonly StepStop[] {
  return [
    ...(isGlobal ? [{ kind: "stripes", layer, place: kindIndex } as const] : []),
    ...(feedForward.kind === "moe" ? [{ kind: "experts", layer, place: feedForward.moeIndex } as const] : []),
  ];
}

function expertsOf({ feedForward }: DeviceLayer): ExpertPart {
  assert(feedForward.kind === "moe", "rows of experts are of a layer that has some");
  return feedForward;
}
