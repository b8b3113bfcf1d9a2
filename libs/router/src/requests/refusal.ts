import { toDroverError } from "@drover/core";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { RequestTrace } from "./request-trace.ts";

/** Counts what ended a request before it ran, once in its trace and once in the metrics; gives it back to be thrown. */
export function refusal(
  error: unknown,
  metrics: Pick<RouterMetrics, "failed" | "finished">,
  trace: RequestTrace | undefined,
): unknown {
  const { code } = toDroverError(error);
  trace?.failed(code);
  if (code === "cancelled") metrics.finished("abort");
  else metrics.failed(code);
  return error;
}
