import { bestLayout, fits } from "./best-layout.ts";
import type { FleetRequest } from "./fleet-layout.ts";
import type { WeightInventory } from "./inventory.ts";
import { GPUS_MAX, SUGGESTED_GPU_BYTES_MAX } from "./limits.ts";

/** A model's weights in another format. */
export type Alternative = Readonly<{ quantize: "int8" | "int4"; weights: WeightInventory }>;

/** A change of what was asked for with which it fits; what is absent stays. */
export type Remedy = Readonly<{
  gpuCount?: number;
  gpuBytes?: number;
  quantize?: "int8" | "int4";
  replicaCount?: number;
  contextTokens?: number;
  kvFormat?: "int8";
}>;

const GIB = 2 ** 30;

/**
 * What would make a request fit that does not: the least change of one setting at a time, each tried against the plan itself. A format that does not
 * suffice alone is combined with the fewest GPUs. Empty where nothing that is tried helps.
 */
export function remediesFor(request: FleetRequest, alternatives: readonly Alternative[]): Remedy[] {
  const remedies: Remedy[] = [
    moreGpus(request),
    smallerKv(request),
    fewerReplicas(request),
    shorterContext(request),
    largerGpus(request),
  ].filter((one) => one !== undefined);
  const formats = alternatives.map(({ quantize, weights }): Remedy | undefined => {
    const quantized = { ...request, weights };
    if (fits(quantized)) return { quantize };
    const more = moreGpus(quantized) ?? shorterContext(quantized) ?? largerGpus(quantized);
    return more === undefined ? undefined : { quantize, ...more };
  });
  return [...formats.filter((one) => one !== undefined), ...remedies];
}

function moreGpus(request: FleetRequest): Remedy | undefined {
  const with_ = (gpuCount: number) => fits({ ...request, gpuCount });
  if (request.gpuCount >= GPUS_MAX || !canAttend(request)) return undefined;
  let enough = Math.min(GPUS_MAX, 2 * request.gpuCount);
  while (!with_(enough)) {
    if (enough === GPUS_MAX) return undefined;
    enough = Math.min(GPUS_MAX, 2 * enough);
  }
  return { gpuCount: leastThat(with_, request.gpuCount + 1, enough) };
}

/** Whether one GPU can hold what an attention worker needs for one request: where it cannot, no number of GPUs helps. */
function canAttend(request: FleetRequest): boolean {
  const alone = bestLayout({
    ...request,
    gpuCount: request.replicaCount + 1,
    weights: withoutExperts(request.weights),
  });
  return alone !== undefined && alone.requestCount > 0;
}

function withoutExperts(weights: WeightInventory): WeightInventory {
  const { routed, vision } = weights.byKind;
  return {
    ...weights,
    byKind: { ...weights.byKind, routed: { ...routed, bytes: 0 }, vision: { ...vision, bytes: 0 } },
    layers: weights.layers.map((layer) => ({ ...layer, expertBytes: 0 })),
    totalBytes: weights.totalBytes - routed.bytes - vision.bytes,
  };
}

function smallerKv(request: FleetRequest): Remedy | undefined {
  return request.kvFormat !== "int8" && fits({ ...request, kvFormat: "int8" }) ? { kvFormat: "int8" } : undefined;
}

function fewerReplicas(request: FleetRequest): Remedy | undefined {
  for (let replicaCount = request.replicaCount - 1; replicaCount > 0; replicaCount--)
    if (fits({ ...request, replicaCount })) return { replicaCount };
  return undefined;
}

function shorterContext(request: FleetRequest): Remedy | undefined {
  const tooLong = (contextTokens: number) => !fits({ ...request, contextTokens });
  if (tooLong(1)) return undefined;
  const longest = leastThat(tooLong, 2, request.contextTokens) - 1;
  return { contextTokens: longest > 1024 ? Math.floor(longest / 1024) * 1024 : longest };
}

function largerGpus(request: FleetRequest): Remedy | undefined {
  const enough = (gib: number) => fits({ ...request, gpuBytes: gib * GIB });
  const most = SUGGESTED_GPU_BYTES_MAX / GIB;
  const least = Math.floor(request.gpuBytes / GIB) + 1;
  if (least > most || !enough(most)) return undefined;
  return { gpuBytes: leastThat(enough, least, most) * GIB };
}

/** The least whole number in [low, high] for which a condition holds that holds for `high`, and for all above one for which it does. */
function leastThat(holds: (value: number) => boolean, low: number, high: number): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}
