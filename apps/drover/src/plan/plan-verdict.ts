import type { Remedy } from "@drover/planning";
import { gib, whole, wrap } from "../top/columns.ts";
import type { PlanReport } from "./plan-report.ts";

const GIB = 2 ** 30;

/** Whether it fits, in one sentence; where it does not: what is missing, and what would fit. */
export function planVerdict({ plan, request }: PlanReport): string[] {
  const { gpuCount, gpuBytes } = request;
  const fleet = `${gpuCount === 1 ? "one GPU" : `${gpuCount} GPUs`} of ${sizeText(gpuBytes)}`;
  const { kv, requestCount } = plan.context;
  const tokens = whole(kv.tokens);
  if (plan.fits)
    return [
      `FITS ${fleet}: ${whole(requestCount)} ${requestCount === 1 ? "request" : "requests"} of ${tokens} tokens at once.`,
    ];
  const missing = gib(plan.missingBytes);
  const why = plan.weightsFit
    ? `The weights do, but one request of ${tokens} tokens needs ${gib(kv.totalBytes)} GiB of KV: ${missing} GiB are missing.`
    : `The weights take ${gib(plan.weights.totalBytes)} GiB: the fullest worker lacks ${missing} GiB, with ${tokens} tokens of KV.`;
  const alone =
    plan.weightsFit && !plan.remedies.some((one) => one.gpuCount !== undefined)
      ? " A request is on one worker, so that more GPUs do not help."
      : "";
  const help =
    plan.remedies.length === 0
      ? ["No number of GPUs, format or shorter context that was tried fits."]
      : ["Any one of these fits:", ...plan.remedies.map((remedy) => `  ${remedyText(remedy)}`)];
  return [...wrap(`DOES NOT FIT ${fleet}. ${why}${alone}`), ...help];
}

function remedyText({ quantize, gpuCount, gpuBytes, replicaCount, contextTokens, kvFormat }: Remedy): string {
  return [
    quantize === undefined ? "" : `--quantize ${quantize}`,
    gpuCount === undefined ? "" : `--gpus ${gpuCount}`,
    gpuBytes === undefined ? "" : `--gpu-memory ${sizeText(gpuBytes)}`,
    kvFormat === undefined ? "" : `--kv-dtype ${kvFormat}`,
    replicaCount === undefined ? "" : `--replicas ${replicaCount}`,
    contextTokens === undefined ? "" : `--context ${tokensText(contextTokens)}`,
  ]
    .filter(Boolean)
    .join(" ");
}

function sizeText(bytes: number): string {
  return bytes % GIB === 0 ? `${bytes / GIB}GiB` : `${gib(bytes)}GiB`;
}

function tokensText(tokens: number): string {
  return tokens % 1024 === 0 ? `${tokens / 1024}K` : `${tokens}`;
}
