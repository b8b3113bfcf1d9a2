import { type FleetLayout, type FleetRequest, fleetLayouts } from "./fleet-layout.ts";
import { kvSize } from "./kv-size.ts";

/** A layout and how it serves requests of the asked length. */
export type JudgedLayout = Readonly<{
  layout: FleetLayout;
  /** Requests of the asked length at once; 0 where it does not fit. */
  requestCount: number;
  weightsFit: boolean;
  /** What is left where it is tightest; below zero: what is missing there. */
  slackBytes: number;
}>;

/**
 * The layout that serves the most requests of the asked length; among equals the one whose tightest worker has the most room, and then the first: with
 * attention and experts apart, and few attention workers. Where none fits, the one that lacks least. Undefined with fewer workers than copies.
 */
export function bestLayout(request: FleetRequest): JudgedLayout | undefined {
  const kvBytes = kvSize(request.model, request.contextTokens, request.stepRows, request.kvFormat).totalBytes;
  let best: JudgedLayout | undefined;
  for (const layout of fleetLayouts(request)) {
    const judged = judge(layout, kvBytes);
    if (best === undefined || isBetter(judged, best)) best = judged;
  }
  return best;
}

/** Whether at least one request of the asked length can be served. */
export function fits(request: FleetRequest): boolean {
  const kvBytes = kvSize(request.model, request.contextTokens, request.stepRows, request.kvFormat).totalBytes;
  for (const layout of fleetLayouts(request)) if (judge(layout, kvBytes).requestCount > 0) return true;
  return false;
}

/** Requests that need so many bytes of KV each, in all attention workers together. */
export function requestsAtOnce(layout: FleetLayout, kvBytes: number): number {
  return layout.workers.reduce(
    (sum, { isAttention, freeBytes }) => sum + (isAttention ? Math.max(0, Math.floor(freeBytes / kvBytes)) : 0),
    0,
  );
}

function judge(layout: FleetLayout, kvBytes: number): JudgedLayout {
  const least = layout.workers.reduce((min, { freeBytes }) => Math.min(min, freeBytes), Number.POSITIVE_INFINITY);
  const mostForKv = layout.workers.reduce(
    (max, { isAttention, freeBytes }) => (isAttention ? Math.max(max, freeBytes) : max),
    Number.NEGATIVE_INFINITY,
  );
  const weightsFit = least >= 0;
  const requestCount = weightsFit ? requestsAtOnce(layout, kvBytes) : 0;
  return { layout, requestCount, weightsFit, slackBytes: Math.min(least, mostForKv - kvBytes) };
}

function isBetter(one: JudgedLayout, other: JudgedLayout): boolean {
  if (one.requestCount !== other.requestCount) return one.requestCount > other.requestCount;
  return one.slackBytes > other.slackBytes;
}
