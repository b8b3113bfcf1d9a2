import { type KvGeometry, kvBytes, layerCountOf } from "@drover/kv";
import { FORECAST_POINTS_MAX } from "./limits.ts";

/** A choice as admission sees it: what it will hold when its prompt is computed, and how many tokens it is expected to add. */
export type Growth = Readonly<{ length: number; remaining: number }>;

/**
 * The most bytes that these choices are expected to hold together, all growing by a token a step. Each holds its global rows up to its end,
 * and its chunked rows up to the next boundary, where they fall to nothing. The sum is taken where it can be greatest: before an end, and before a boundary;
 * where these are more than `forecastPointsMax`, at as many of them.
 */
export function forecastBytes(choices: readonly Growth[], geometry: KvGeometry): number {
  const bytesAt = perKind(geometry);
  const crests = choices.flatMap(({ length, remaining }) => {
    const toBoundary = geometry.chunkRows - (length % geometry.chunkRows);
    return toBoundary < remaining ? [toBoundary, remaining] : [remaining];
  });
  const points = thinned([...new Set([0, ...crests])].sort((a, b) => a - b));
  let most = 0;
  for (const point of points) {
    let sum = 0;
    for (const { length, remaining } of choices) if (point <= remaining) sum += bytesAt(length + point);
    most = Math.max(most, sum);
  }
  return most;
}

/** Evenly chosen points, the last one among them. */
function thinned(points: readonly number[]): readonly number[] {
  if (points.length <= FORECAST_POINTS_MAX) return points;
  return Array.from({ length: FORECAST_POINTS_MAX }, (_, i) => {
    const at = Math.round((i * (points.length - 1)) / (FORECAST_POINTS_MAX - 1));
    return points[at] ?? 0;
  });
}

/** Bytes of a sequence in the step that brings it to `length` rows. Models have many layers but only two kinds. */
function perKind(geometry: KvGeometry): (length: number) => number {
  const globalCount = layerCountOf(geometry, "global");
  const localCount = layerCountOf(geometry, "local");
  const globalLayer = { ...geometry, isGlobalLayer: [true] };
  const localLayer = { ...geometry, isGlobalLayer: [false] };
  return (length) => {
    const from = Math.max(0, length - 1);
    return globalCount * kvBytes(globalLayer, from, length) + localCount * kvBytes(localLayer, from, length);
  };
}
