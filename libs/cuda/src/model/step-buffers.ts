import type { ModelConfig } from "@drover/checkpoint";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import { jobCountMax, type Routing } from "../kernels/linear-kernels.ts";
import { ATTENTION_PARTS_MAX, HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";

/** Rows of a step on their way through the layers, each [rows, width], f32 unless it says so. */
export type StepBuffers = Readonly<{
  /** The residual stream. */
  h: DeviceAddress;
  /** What a projection reads: activations; and the same in f32, which the router reads. */
  x: DeviceAddress;
  exact: DeviceAddress;
  qkv: DeviceAddress;
  q: DeviceAddress;
  /** Activations. */
  attended: DeviceAddress;
  sums: DeviceAddress;
  marks: DeviceAddress;
  /** What attention, and the shared or dense MLP, add to h; and what routed experts add. */
  added: DeviceAddress;
  routed: DeviceAddress;
  gateUp: DeviceAddress;
  /** Activations. */
  hidden: DeviceAddress;
  routerLogits: DeviceAddress;
  /** Chosen experts, [rows, MoE layers] i32. */
  chosen: DeviceAddress;
  routing: Omit<Routing, "jobCountMax">;
  /** Of the rows that the head computes: activations, [HEAD_ROWS_MAX, D], and logits, [HEAD_ROWS_MAX, V]. */
  headX: DeviceAddress;
  logits: DeviceAddress;
  /** Likeliest ids and their logits, [rows, TOP_COUNT_MAX], log-sum-exps and asked logits, [rows]. */
  topIds: DeviceAddress;
  topValues: DeviceAddress;
  logSumExps: DeviceAddress;
  askedValues: DeviceAddress;
}>;

const F32 = 4;
const JOB = 16;

/** Allocates for steps of so many rows. Errors: `overloaded` where the card is full. */
export function allocateBuffers(
  config: ModelConfig,
  rowsMax: number,
  activationBytes: number,
  memory: DeviceMemory,
): StepBuffers {
  const make = (elements: number, bytes = F32) => memory.allocate("activations", elements * bytes);
  const { hiddenSize: d, headCount, kvHeadCount, headDim, vocabSize, expertCount, expertWidth, denseWidth } = config;
  const queryWidth = headCount * headDim;
  const mlpWidth = Math.max(expertWidth, denseWidth);
  return {
    h: make(rowsMax * d),
    x: make(rowsMax * d, activationBytes),
    exact: make(rowsMax * d),
    qkv: make(rowsMax * (queryWidth + 2 * kvHeadCount * headDim)),
    q: make(rowsMax * queryWidth),
    attended: make(rowsMax * queryWidth, activationBytes),
    sums: make(ATTENTION_PARTS_MAX * queryWidth),
    marks: make(ATTENTION_PARTS_MAX * headCount, 2 * F32),
    added: make(rowsMax * d),
    routed: make(rowsMax * d),
    gateUp: make(rowsMax * 2 * mlpWidth),
    hidden: make(rowsMax * mlpWidth, activationBytes),
    routerLogits: make(rowsMax * expertCount),
    chosen: make(rowsMax * Math.max(1, config.moeLayers.length)),
    routing: {
      scales: make(rowsMax),
      order: make(rowsMax),
      jobs: make(jobCountMax(rowsMax, expertCount), JOB),
      jobCount: make(1),
    },
    headX: make(HEAD_ROWS_MAX * d, activationBytes),
    logits: make(HEAD_ROWS_MAX * vocabSize),
    topIds: make(rowsMax * TOP_COUNT_MAX),
    topValues: make(rowsMax * TOP_COUNT_MAX),
    logSumExps: make(rowsMax),
    askedValues: make(rowsMax),
  };
}
