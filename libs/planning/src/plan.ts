import { assert } from "@drover/core";
import { bestLayout, requestsAtOnce } from "./best-layout.ts";
import type { FleetRequest, WorkerPlan } from "./fleet-layout.ts";
import type { WeightInventory } from "./inventory.ts";
import { type KvSize, kvSize } from "./kv-size.ts";
import { BATCH_SIZES, REQUEST_TOKENS } from "./limits.ts";
import { type Alternative, type Remedy, remediesFor } from "./remedies.ts";
import { type StepFloor, stepFloor } from "./token-floor.ts";

/** Workers that hold the same, `first` to `last` counted from 1. */
export type WorkerGroup = WorkerPlan & Readonly<{ first: number; last: number }>;

/** Requests of one length: what each holds, and how many fit at once. */
type LengthPlan = Readonly<{ kv: KvSize; requestCount: number }>;

/** Floors of one step by batch size; `fits`: whether so many requests of this length find room. */
type FloorPlan = Readonly<{ tokens: number; steps: readonly (StepFloor & Readonly<{ fits: boolean }>)[] }>;

/** A fleet planned from shapes alone. All sizes in bytes. */
export type FleetPlan = Readonly<{
  fits: boolean;
  weightsFit: boolean;
  /** Where it does not fit: what is missing on the tightest worker. */
  missingBytes: number;
  /** Where it does not fit: each of these alone would. */
  remedies: readonly Remedy[];
  /** Attention workers hold routed experts too. */
  together: boolean;
  attentionWorkerCount: number;
  workers: readonly WorkerGroup[];
  weights: WeightInventory;
  context: LengthPlan;
  lengths: readonly LengthPlan[];
  floors: readonly FloorPlan[];
}>;

export type PlanOptions = Readonly<{
  /** The memory bandwidth of one GPU, bytes a second. */
  bandwidth: number;
  alternatives: readonly Alternative[];
}>;

/** Plans a fleet, or says what is missing and what would help. Bug: fewer GPUs than copies of an expert. */
export function planFleet(request: FleetRequest, { bandwidth, alternatives }: PlanOptions): FleetPlan {
  const { model, weights, contextTokens } = request;
  const best = bestLayout(request);
  assert(best !== undefined, "there are as many GPUs as copies of an expert");
  const { layout } = best;
  const fits = best.requestCount > 0;
  const lengthOf = (tokens: number): LengthPlan => {
    const kv = kvSize(model, tokens, request.stepRows, request.kvFormat);
    return { kv, requestCount: best.weightsFit ? requestsAtOnce(layout, kv.totalBytes) : 0 };
  };
  const lengths = [...new Set([...REQUEST_TOKENS, contextTokens])]
    .filter((tokens) => tokens <= model.maxPositionEmbeddings)
    .sort((a, b) => a - b)
    .map(lengthOf);
  const shortest = lengths[0]?.kv.tokens ?? contextTokens;
  const floors = [...new Set([shortest, contextTokens])].map((tokens): FloorPlan => {
    const { kv, requestCount } = lengthOf(tokens);
    return {
      tokens,
      steps: BATCH_SIZES.map((size) => ({
        ...stepFloor(model, weights, layout, { size, kvBytesEach: kv.totalBytes }, bandwidth),
        fits: size <= requestCount,
      })),
    };
  });
  return {
    fits,
    weightsFit: best.weightsFit,
    missingBytes: fits ? 0 : -best.slackBytes,
    remedies: fits ? [] : remediesFor(request, alternatives),
    together: layout.together,
    attentionWorkerCount: layout.attentionCount,
    workers: grouped(layout.workers),
    weights,
    context: lengthOf(contextTokens),
    lengths,
    floors,
  };
}

function grouped(workers: readonly WorkerPlan[]): WorkerGroup[] {
  const groups: WorkerGroup[] = [];
  workers.forEach((worker, index) => {
    const last = groups.at(-1);
    if (last !== undefined && isAlike(last, worker)) groups[groups.length - 1] = { ...last, last: index + 1 };
    else groups.push({ first: index + 1, last: index + 1, ...worker });
  });
  return groups;
}

function isAlike(one: WorkerPlan, other: WorkerPlan): boolean {
  return (Object.keys(other) as (keyof WorkerPlan)[]).every((key) => one[key] === other[key]);
}
