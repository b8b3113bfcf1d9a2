import type { ModelConfig } from "@drover/checkpoint";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import { type Activations, EXPERT_ROWS_MAX } from "../kernels/activations.ts";
import { jobCountMax } from "../kernels/linear-kernels.ts";
import { CHOOSING_ROWS_MAX, rankBytes } from "../kernels/model-kernels.ts";
import type { Routing } from "../kernels/product.ts";
import { ATTENTION_PARTS_MAX, HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";

/** Rows of a step on their way through the layers, each [rows, width], f32 unless it says so. */
export type StepBuffers = Readonly<{
  /** Of the largest step. */
  rowsMax: number;
  /** The residual stream; and what it is between a layer's attention and its experts where few rows choose these in one launch. */
  h: DeviceAddress;
  chosenH: DeviceAddress;
  /** What a projection reads: activations; and the same in f32, which the router reads. */
  x: DeviceAddress;
  exact: DeviceAddress;
  /** What experts read of few rows, where x lies otherwise. */
  routedX: DeviceAddress;
  qkv: DeviceAddress;
  q: DeviceAddress;
  /** Activations. */
  attended: DeviceAddress;
  sums: DeviceAddress;
  marks: DeviceAddress;
  /** Logarithms of sums of weights, [rows, H], where context workers have a part of what is attended to. */
  lse: DeviceAddress;
  /** What routed experts add to h; and behind its last row what attention, and the shared or dense MLP, add. */
  routed: DeviceAddress;
  added: DeviceAddress;
  /** In f32 alone: what SwiGLU reads. */
  gateUp: DeviceAddress;
  /** Activations: of routed experts, and behind their last row of the shared or dense MLP. */
  hidden: DeviceAddress;
  hiddenShared: DeviceAddress;
  routerLogits: DeviceAddress;
  /** One integer: 0 between kernels. */
  arrived: DeviceAddress;
  /** Chosen experts, [rows, MoE layers] i32. */
  chosen: DeviceAddress;
  routing: Omit<Routing, "jobCountMax" | "expertCount">;
  /** Of the rows that the head computes: activations, [HEAD_ROWS_MAX, D], and logits, [HEAD_ROWS_MAX, V]. */
  headX: DeviceAddress;
  logits: DeviceAddress;
  candidates: DeviceAddress;
  marksOfParts: DeviceAddress;
  /** Likeliest ids and their logits, [rows, TOP_COUNT_MAX], log-sum-exps and asked logits, [rows]. */
  topIds: DeviceAddress;
  topValues: DeviceAddress;
  logSumExps: DeviceAddress;
  askedValues: DeviceAddress;
}>;

const F32 = 4;
const JOB = 16;

/** Allocates for steps of so many rows; `clear` writes zeros. Errors: `overloaded` where the card is full. */
export function allocateBuffers(
  config: ModelConfig,
  rowsMax: number,
  activations: Activations,
  memory: DeviceMemory,
  clear: (address: DeviceAddress, byteCount: number) => void,
): StepBuffers {
  const make = (elements: number, bytes = F32) => memory.allocate("activations", elements * bytes);
  const { hiddenSize: d, headCount, kvHeadCount, headDim, vocabSize, expertCount, expertWidth, denseWidth } = config;
  const queryWidth = headCount * headDim;
  const mlpWidth = Math.max(expertWidth, denseWidth);
  // What fills rows up to their stride is multiplied by zero, and has to be a number.
  const rows = (width: number, count = rowsMax) => {
    const address = make(count, activations.rowBytes(width));
    clear(address, count * activations.rowBytes(width));
    return address;
  };
  const arrived = make(1);
  clear(arrived, F32);
  const [hidden, routed] = [rows(mlpWidth, 2 * rowsMax), make(2 * rowsMax * d)];
  const jobs = Math.max(...jobRows(rowsMax).map((count) => jobCountMax(count, expertCount, activations.precision)));
  const { candidates, marks } = rankBytes(HEAD_ROWS_MAX, TOP_COUNT_MAX);
  return {
    rowsMax,
    h: make(rowsMax * d),
    chosenH: make(Math.min(rowsMax, CHOOSING_ROWS_MAX) * d),
    arrived,
    x: rows(d),
    exact: make(rowsMax * d),
    routedX: rows(d, Math.min(rowsMax, EXPERT_ROWS_MAX * expertCount)),
    qkv: make(rowsMax * (queryWidth + 2 * kvHeadCount * headDim)),
    q: make(rowsMax * queryWidth),
    attended: rows(queryWidth),
    sums: make(ATTENTION_PARTS_MAX * queryWidth),
    marks: make(ATTENTION_PARTS_MAX * headCount, 2 * F32),
    lse: make(rowsMax * headCount),
    routed,
    added: routed + BigInt(F32 * rowsMax * d),
    gateUp: make(activations.precision === "f32" ? rowsMax * 2 * mlpWidth : 1),
    hidden,
    hiddenShared: hidden + BigInt(rowsMax * activations.rowBytes(expertWidth)),
    routerLogits: make(rowsMax * expertCount),
    chosen: make(rowsMax * Math.max(1, config.moeLayers.length)),
    routing: { scales: make(rowsMax), order: make(2 * rowsMax), jobs: make(jobs, JOB), jobCount: make(1) },
    headX: rows(d, HEAD_ROWS_MAX),
    logits: make(HEAD_ROWS_MAX * vocabSize),
    candidates: make(candidates, 1),
    marksOfParts: make(marks, 1),
    topIds: make(rowsMax * TOP_COUNT_MAX),
    topValues: make(rowsMax * TOP_COUNT_MAX),
    logSumExps: make(rowsMax),
    askedValues: make(rowsMax),
  };
}

/** Numbers of rows up to so many among which is that of the most jobs: a job has more rows where there are more. */
function jobRows(rowsMax: number): readonly number[] {
  return Array.from({ length: rowsMax }, (_, i) => i + 1);
}
