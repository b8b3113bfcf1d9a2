import { join } from "node:path";
import { FieldReader, readJsonObject } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";
import { exists } from "../files/shard-index.ts";
import { readCompressedForms } from "./compressed-tensors.ts";
import { PLAIN_FORMS, readBlock, SERVED_FORMS, type StoredForms } from "./stored-forms.ts";

/** What ModelOpt writes of its quantization beside config.json, where that does not say it. */
const MODELOPT_FILE = "hf_quant_config.json";

/** ModelOpt's forms that are FP8, int8 or NVFP4 weights and scales; undefined where only the KV cache was quantized. */
const MODELOPT_FORMS: readonly (string | undefined)[] = [
  undefined,
  "FP8",
  "FP8_PER_CHANNEL_PER_TOKEN",
  "FP8_PB_WO",
  "FP8_PB_REAL",
  "NVFP4",
  "W4A16_NVFP4",
  "W8A16",
  "W8A8_SQ_PER_CHANNEL",
  "MIXED_PRECISION",
];

/** Who quantized a checkpoint, and where that is said. */
export type QuantizationConfig = Readonly<{
  method: "compressed-tensors" | "fbgemm_fp8" | "fp8" | "modelopt";
  fields: FieldReader;
}>;

/**
 * Finds `quantization_config` of config.json, whole or of its text part (`compression_config` in older files), or ModelOpt's own file where there is none;
 * undefined where nothing is quantized. Errors: `invalid_argument` naming file and field for a method that Drover does not read.
 */
export async function findQuantization(
  directory: string,
  parts: readonly FieldReader[],
): Promise<QuantizationConfig | undefined> {
  for (const part of parts) {
    const fields = part.object("quantization_config") ?? part.object("compression_config");
    if (fields !== undefined) return { method: methodOf(fields), fields };
    // MLX writes this name, with or without the other one.
    const mlx = part.object("quantization");
    if (mlx?.raw("bits") !== undefined) return part.fail("quantization", `is MLX's; ${SERVED_FORMS}`);
  }
  const path = join(directory, MODELOPT_FILE);
  if (!(await exists(path))) return undefined;
  const file = new FieldReader(await readJsonObject(path), path);
  return { method: "modelopt", fields: file.object("quantization") ?? file };
}

/** What a checkpoint's quantization says of its tensors. Errors: as {@link findQuantization}, also for a form that Drover does not read. */
export async function readStoredForms(
  directory: string,
  parts: readonly FieldReader[],
): Promise<StoredForms | undefined> {
  const found = await findQuantization(directory, parts);
  if (found === undefined) return undefined;
  const { method, fields } = found;
  if (method === "compressed-tensors") return readCompressedForms(fields);
  if (method === "fp8") return readFineGrained(fields);
  return method === "modelopt" ? readModelOpt(fields) : PLAIN_FORMS;
}

function methodOf(quantization: FieldReader): QuantizationConfig["method"] {
  const method = quantization.text("quant_method");
  if (method === "compressed-tensors" || method === "fbgemm_fp8" || method === "fp8") return method;
  if (method?.startsWith("modelopt") === true) return "modelopt";
  if (method === undefined && quantization.raw("quant_algo") !== undefined) return "modelopt";
  if (method === undefined && quantization.raw("config_groups") !== undefined) return "compressed-tensors";
  const isMlx = method === undefined && quantization.raw("bits") !== undefined;
  const found = method === undefined ? (isMlx ? "missing, as in MLX's files" : "missing") : quoted(method);
  return quantization.fail("quant_method", `is ${found}; ${SERVED_FORMS}`);
}

/** transformers' own FP8: scales of blocks, or where no block is named one scale a tensor. */
function readFineGrained(quantization: FieldReader): StoredForms {
  const size = quantization.list("weight_block_size");
  const quantizesActivations = true;
  if (size === undefined) return { ...PLAIN_FORMS, quantizesActivations };
  return { ...PLAIN_FORMS, blocks: [readBlock(quantization, "weight_block_size", size)], quantizesActivations };
}

function readModelOpt(quantization: FieldReader): StoredForms {
  const algorithm = quantization.text("quant_algo");
  if (!MODELOPT_FORMS.includes(algorithm)) quantization.fail("quant_algo", `is ${quoted(algorithm)}; ${SERVED_FORMS}`);
  const layers = quantization.object("quantized_layers");
  const each = (layers?.fields ?? []).flatMap((name) => layers?.object(name) ?? []);
  for (const layer of each) {
    const own = layer.text("quant_algo");
    if (!MODELOPT_FORMS.includes(own)) layer.fail("quant_algo", `is ${quoted(own)}; ${SERVED_FORMS}`);
  }
  const isBlocked = [quantization, ...each].some((one) => one.text("quant_algo")?.startsWith("FP8_PB") === true);
  const sizes = [quantization, ...each].flatMap((one) =>
    one.raw("group_size") === undefined ? [] : [one.count("group_size")],
  );
  return {
    groupSizes: [...new Set(sizes)],
    blocks: isBlocked ? [MODELOPT_BLOCK] : [],
    bits: [],
    quantizesActivations: algorithm !== undefined && !algorithm.includes("A16") && algorithm !== "FP8_PB_WO",
  };
}

/** ModelOpt's blocks of FP8 have one size only. */
const MODELOPT_BLOCK = [128, 128] as const;
