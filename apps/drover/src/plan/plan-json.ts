import { quantizationName } from "@drover/checkpoint";
import type { PlanReport } from "./plan-report.ts";

/** The whole plan as JSON; every size is in bytes. */
export function planJson({
  directory,
  source,
  request,
  quantization,
  converted,
  headDtype,
  bandwidth,
  plan,
}: PlanReport): string {
  const { model, weights: _, ...asked } = request;
  return `${JSON.stringify(
    {
      checkpoint: directory,
      origin: source.origin,
      notes: source.notes,
      model,
      quantization: source.converted ?? quantizationName(quantization),
      converted,
      headDtype,
      asked: { ...asked, bandwidth },
      ...plan,
    },
    undefined,
    2,
  )}\n`;
}
