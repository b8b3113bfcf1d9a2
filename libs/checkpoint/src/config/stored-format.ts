import { join } from "node:path";
import type { StoredFormat } from "@drover/llama4";
import { FieldReader, readJsonObject } from "../files/json-file.ts";
import { compressedFormat } from "./compressed-format.ts";
import { moduleRule } from "./module-rule.ts";
import { findQuantization } from "./quantization-config.ts";
import { readBlock } from "./stored-forms.ts";

/** How the Linear at a module's path is stored; undefined where it is not quantized. */
type FormatOfModule = (path: string) => StoredFormat | undefined;

/** What config.json says about how its weights are stored. It is a statement only: where there are headers, those are right. */
export type StoredFormatConfig = Readonly<{
  dtype: "BF16" | "F16" | "F32";
  /** Undefined where nothing is quantized. */
  quantized:
    | Readonly<{
        formatOf: FormatOfModule;
        /** The same with no module left out. */
        schemeOf: FormatOfModule;
        /** A layer's experts are two tensors for all of them. */
        fusedExperts: boolean;
      }>
    | undefined;
}>;

const DTYPES = { bfloat16: "BF16", float16: "F16", float32: "F32" } as const;

/**
 * Reads `dtype` (`torch_dtype` in older files; bf16 where both are absent) and the quantization of config.json or ModelOpt's own file.
 * Errors: `invalid_argument` naming file and field, also for a quantization that Drover does not read; of `formatOf` for a rule that it does not know.
 */
export async function loadStoredFormat(directory: string): Promise<StoredFormatConfig> {
  const path = join(directory, "config.json");
  const outer = new FieldReader(await readJsonObject(path), path);
  const text = outer.object("text_config") ?? outer;
  const name = [outer, text]
    .flatMap((one) => [one.text("dtype"), one.text("torch_dtype")])
    .find((one) => one !== undefined);
  const dtype = Object.entries(DTYPES).find(([key]) => key === (name ?? "bfloat16"))?.[1];
  if (dtype === undefined) return outer.fail("dtype", `must be one of ${Object.keys(DTYPES).join(", ")}`);
  const found = await findQuantization(directory, [outer, text]);
  if (found === undefined) return { dtype, quantized: undefined };
  const { method, fields } = found;
  const scale = { scaleDtype: dtype, scaleBytes: dtype === "F32" ? 4 : 2 };
  if (method === "compressed-tensors") {
    const schemeOf = compressedFormat(fields, scale);
    return { dtype, quantized: { formatOf: except(fields, "ignore", schemeOf), schemeOf, fusedExperts: false } };
  }
  const formats = { fbgemm_fp8: () => FBGEMM, fp8: fineGrained, modelopt: modelOptFormat };
  const format = formats[method](fields);
  const schemeOf = () => format;
  const list = fields.raw("exclude_modules") !== undefined ? "exclude_modules" : LEFT_OUT[method];
  return { dtype, quantized: { formatOf: except(fields, list, schemeOf), schemeOf, fusedExperts: true } };
}

/** The field that names modules that are not quantized. */
const LEFT_OUT = { fbgemm_fp8: "modules_to_not_convert", fp8: "modules_to_not_convert", modelopt: "ignore" } as const;

const F32_SCALES = { scaleDtype: "F32", scaleBytes: 4 } as const;
const FBGEMM: StoredFormat = { kind: "fp8", ...F32_SCALES };

function fineGrained(fields: FieldReader): StoredFormat {
  const size = fields.list("weight_block_size");
  const grid = size === undefined ? "whole" : readBlock(fields, "weight_block_size", size);
  return { kind: "fp8", ...F32_SCALES, grid, by: "transformers" };
}

/** Of mixed precision the first layer's format stands for all: only headers tell more. */
function modelOptFormat(fields: FieldReader): StoredFormat | undefined {
  const layers = fields.object("quantized_layers");
  const first = (layers?.fields ?? []).flatMap((name) => layers?.object(name)?.text("quant_algo") ?? []).find(Boolean);
  const algorithm = first ?? fields.text("quant_algo");
  if (algorithm === undefined) return undefined;
  if (algorithm.includes("NVFP4")) return { kind: "nvfp4", by: "modelopt" };
  const of = { ...F32_SCALES, by: "modelopt" } as const;
  if (algorithm.startsWith("W8")) return { kind: "int8", ...of, grid: "outputs" };
  if (algorithm.startsWith("FP8_PB")) return { kind: "fp8", ...of, grid: [128, 128] };
  return { kind: "fp8", ...of, grid: algorithm === "FP8" ? "whole" : "outputs" };
}

/** The same for every text Linear that the list neither names nor matches, and never for routers. The list is read at the first question. */
function except(fields: FieldReader, field: string, formatOf: FormatOfModule): FormatOfModule {
  let rules: ((path: string) => boolean)[] | undefined;
  return (path) => {
    rules ??= (fields.list(field) ?? []).map((rule) => {
      if (typeof rule !== "string") return fields.fail(field, "must be a list of texts");
      return moduleRule(rule, (what) => fields.fail(field, what));
    });
    if (path.endsWith(".router") || rules.some((rule) => rule(path))) return undefined;
    return formatOf(path);
  };
}
