import { type Quantization, quantizationOf } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import { type Alternative, type FleetPlan, type FleetRequest, planFleet, weightInventory } from "@drover/planning";
import { type PlanConfig, parseTokens } from "./plan-config.ts";
import { type ConvertedTotals, convertedTotals, isHead, quantized } from "./plan-quantize.ts";
import type { PlanSource } from "./plan-source.ts";

/** A plan with what it was made from and asked for. */
export type PlanReport = Readonly<{
  directory: string;
  source: PlanSource;
  request: FleetRequest;
  quantization: Quantization | null;
  /** What `drover convert` writes; null where nothing is quantized. */
  converted: ConvertedTotals | null;
  /** The element type of the head's weights. */
  headDtype: string;
  /** Of one GPU, bytes a second. */
  bandwidth: number;
  plan: FleetPlan;
}>;

const CONTEXT_DEFAULT = 131_072;

/** Plans what the flags ask for. Errors: `invalid_argument` naming the flag. */
export function planReport(directory: string, source: PlanSource, config: PlanConfig): PlanReport {
  const { model } = source;
  if (source.converted !== null && config.quantize !== undefined)
    throw new DroverError("invalid_argument", `--quantize: ${directory} is converted to ${source.converted} already.`);
  const quantization = quantizationOf(config.quantize, config.quantizeBlock);
  const tensors = quantization === null ? source.tensors : quantized(source.tensors, model, quantization);
  const request: FleetRequest = {
    model,
    weights: weightInventory(tensors, model),
    gpuCount: config.gpus,
    gpuBytes: config.gpuMemory,
    reserveBytes: config.reserve,
    contextTokens: contextOf(config, model.maxPositionEmbeddings),
    replicaCount: config.replicas,
    stepRows: config.prefillChunk,
    kvFormat: config.kvDtype,
    together: config.together === true,
  };
  if (config.replicas > config.gpus)
    throw new DroverError(
      "invalid_argument",
      `--replicas ${config.replicas} needs as many GPUs, and --gpus is ${config.gpus}.`,
    );
  const plan = planFleet(request, { bandwidth: config.bandwidth, alternatives: alternatives(source, config) });
  const headDtype = tensors.find(({ name }) => isHead(name))?.dtype ?? "as the embeddings";
  const converted = quantization === null ? null : convertedTotals(model, source.tensors, quantization);
  return { directory, source, request, quantization, converted, headDtype, bandwidth: config.bandwidth, plan };
}

function contextOf({ context }: PlanConfig, most: number): number {
  if (context === undefined) return Math.min(CONTEXT_DEFAULT, most);
  const tokens = parseTokens(context);
  if (tokens === undefined)
    throw new DroverError(
      "invalid_argument",
      `--context must be a number of tokens such as 8192, 128K or 1M, not ${JSON.stringify(context)}.`,
    );
  if (tokens <= most) return tokens;
  throw new DroverError(
    "invalid_argument",
    `--context is ${tokens.toLocaleString("en")} tokens, and the model goes to ${most.toLocaleString("en")} (max_position_embeddings).`,
  );
}

/** Formats that take less room than the one that is planned. */
function alternatives(
  { model, tensors, converted }: PlanSource,
  { quantize, quantizeBlock }: PlanConfig,
): Alternative[] {
  if (converted !== null) return [];
  const smaller = quantize === undefined ? (["int8", "int4"] as const) : quantize === "int8" ? (["int4"] as const) : [];
  return smaller.flatMap((name) => {
    const quantization = quantizationOf(name, quantizeBlock);
    return quantization === null
      ? []
      : [{ quantize: name, weights: weightInventory(quantized(tensors, model, quantization), model) }];
  });
}
