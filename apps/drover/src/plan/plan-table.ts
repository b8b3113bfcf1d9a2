import { basename } from "node:path";
import { WEIGHT_KINDS, type WeightKind } from "@drover/llama4";
import { CARD_STEP_FACTOR, type FleetRequest, type WorkerGroup } from "@drover/planning";
import { columns, gib, whole, wrap } from "../top/columns.ts";
import type { PlanReport } from "./plan-report.ts";
import { planVerdict } from "./plan-verdict.ts";

const KIND_NAMES: Readonly<Record<WeightKind, string>> = {
  embedding: "embeddings",
  attention: "attention",
  norm: "norms",
  router: "routers",
  dense: "dense MLPs",
  shared: "shared experts",
  routed: "routed experts",
  head: "head",
  vision: "vision",
  other: "other",
};

const ORIGINS = {
  headers: "safetensors headers",
  index: "the index and config.json",
  config: "config.json alone",
} as const;

/** The plan as text for a terminal, at most 100 columns wide. */
export function planTable(report: PlanReport): string {
  const { source, plan } = report;
  const sections = [
    heading(report),
    planVerdict(report),
    weights(report),
    workers(report),
    requests(report),
    ...plan.floors.map((_, index) => floor(report, index)),
    [...source.notes, ...assumptions(report)].flatMap(wrap),
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function heading({ directory, source, quantization, headDtype }: PlanReport): string[] {
  const { model } = source;
  const moe = model.moeLayers.length;
  const stored = source.converted === null ? "as stored" : `converted to ${source.converted}`;
  const format = quantization === null ? stored : `int${quantization.bits}, blocks of ${quantization.blockSize}`;
  return [
    `${basename(directory)}: ${model.layerCount} layers, ${moe} of them with ${model.expertCount} experts; up to ${whole(model.maxPositionEmbeddings)} tokens`,
    `weights ${format}, head ${headDtype}; shapes from ${ORIGINS[source.origin]}`,
  ];
}

function weights({ plan, request, converted }: PlanReport): string[] {
  const { byKind, totalBytes, parameterCount } = plan.weights;
  const place = (kind: WeightKind): string => {
    if (kind === "routed") {
      const holders = plan.workers.filter(({ expertCount }) => expertCount > 0);
      const count = holders.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      return `${request.replicaCount === 1 ? "once" : `${request.replicaCount} copies`}, over ${workersText(count)}`;
    }
    if (kind === "vision") return `once, worker ${plan.workers.find(({ hasVision }) => hasVision)?.first ?? 1}`;
    return plan.attentionWorkerCount === 1 ? "worker 1" : `each of workers 1-${plan.attentionWorkerCount}`;
  };
  const rows = WEIGHT_KINDS.filter((kind) => byKind[kind].bytes > 0).map((kind) => {
    const { parameters, bytes } = byKind[kind];
    return [KIND_NAMES[kind], whole(parameters), whole(bytes), gib(bytes), place(kind)];
  });
  const table = columns([
    ["WEIGHTS", "parameters", "bytes", "GiB", "where"],
    ...rows,
    ["total", whole(parameterCount), whole(totalBytes), gib(totalBytes), ""],
  ]);
  if (converted === null) return table;
  const { fileCount, byteCount, preparedBytes, overheadBytes } = converted;
  return [
    ...table,
    ...wrap(
      `drover convert writes ${whole(byteCount)} bytes in ${whole(fileCount)} files of weights: these, ${whole(preparedBytes)} for the same as CPU kernels pack them, and ${whole(overheadBytes)} for headers and padding.`,
    ),
  ];
}

const workersText = (count: number): string => (count === 1 ? "1 worker" : `${count} workers`);

function workers({ plan }: PlanReport): string[] {
  const roles = ({ isAttention, expertCount, hasVision }: WorkerGroup) =>
    [isAttention ? "attention" : "", expertCount > 0 ? "experts" : "", hasVision ? "vision" : ""]
      .filter(Boolean)
      .join("+") || "idle";
  const rows = plan.workers.map((group) => [
    group.first === group.last ? `${group.first}` : `${group.first}-${group.last}`,
    roles(group),
    whole(group.expertCount),
    gib(group.residentBytes + group.visionBytes),
    gib(group.expertBytes),
    gib(group.activationBytes),
    gib(group.reserveBytes),
    gib(group.freeBytes),
    group.isAttention ? "for KV" : "spare",
  ]);
  return columns([
    ["WORKER, GiB", "role", "experts", "resident", "routed", "a step", "reserve", "left", "left is"],
    ...rows,
  ]);
}

function requests({ plan }: PlanReport): string[] {
  const rows = plan.lengths.map(({ kv, requestCount }) => [
    whole(kv.tokens),
    gib(kv.globalBytes),
    gib(kv.chunkedBytes),
    gib(kv.totalBytes),
    whole(kv.totalBytes),
    requestCount === 0 ? "none" : whole(requestCount),
  ]);
  return columns([["KV OF ONE REQUEST", "global GiB", "chunked GiB", "total GiB", "bytes", "fit at once"], ...rows]);
}

function floor({ plan }: PlanReport, index: number): string[] {
  const table = plan.floors[index];
  if (table === undefined) return [];
  const fitting = table.steps.filter(({ fits }) => fits);
  if (fitting.length === 0) return [`FLOOR AT ${whole(table.tokens)} TOKENS: not one request fits.`];
  const rows = fitting.map((step) => [
    whole(step.batchSize),
    step.expertsTouched.toFixed(1),
    gib(step.weightBytes),
    gib(step.kvBytes),
    step.stepMs.toFixed(2),
    whole(step.tokensPerSecond),
    step.cardStepMs.toFixed(2),
    whole(step.cardTokensPerSecond),
  ]);
  const head = [
    ...[`FLOOR AT ${whole(table.tokens)} TOKENS`, "experts", "weights GiB", "KV GiB", "ms a step", "tokens/s"],
    ...["card ms", "tokens/s"],
  ];
  return [...columns([head, ...rows]), ...(fitting.length < table.steps.length ? ["More at once do not fit."] : [])];
}

const kvText = (format: FleetRequest["kvFormat"]): string =>
  format === "int8" ? "int8 with a scale for each row and head" : format;

/** What the numbers take for granted. */
function assumptions({ request, bandwidth }: PlanReport): string[] {
  return [
    `KV is ${kvText(request.kvFormat)}. What a step takes is the sum of its shapes for ${whole(request.stepRows)} rows in f32. The floor counts bytes at ${(bandwidth / 1e12).toFixed(2)} TB/s a GPU, and of each layer the different experts that tokens choose evenly; network, kernels and arithmetic come on top. On one card a step was measured to take ${CARD_STEP_FACTOR} times its floor, which are the last two columns; rows on their way between cards come on top of these. Cards keep KV as f32 or f16. On CPUs, Drover computes weights that are not quantized in f32, and keeps KV as f32 or int8.`,
  ];
}
