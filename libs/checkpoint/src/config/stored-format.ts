import { join } from "node:path";
import { at } from "@drover/core";
import { FieldReader, readJsonObject } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";

/** Whether the Linear at a module path is stored in FP8, by config.json's `quantization_config`. */
type StoredFp8 = Readonly<{
  isFp8: (path: string) => boolean;
  /** The scales' type: fbgemm's are f32, compressed-tensors' have the model's. */
  scaleDtype: "F32" | "BF16";
  /** A layer's experts are two tensors for all of them. */
  fusedExperts: boolean;
}>;

/** What config.json says about how its weights are stored. It is a statement only: where there are headers, those are right. */
export type StoredFormatConfig = Readonly<{ dtype: "BF16" | "F16" | "F32"; fp8: StoredFp8 | undefined }>;

const DTYPES = { bfloat16: "BF16", float16: "F16", float32: "F32" } as const;

/**
 * Reads `dtype` (`torch_dtype` in older files; bf16 where both are absent) and `quantization_config` of config.json.
 * Errors: `invalid_argument` naming file and field, also for a quantization other than FP8 by fbgemm or compressed-tensors.
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
  const quantization = outer.object("quantization_config") ?? text.object("quantization_config");
  return { dtype, fp8: quantization === undefined ? undefined : readFp8(quantization) };
}

function readFp8(quantization: FieldReader): StoredFp8 {
  const method = quantization.text("quant_method") ?? "missing";
  if (method === "fbgemm_fp8") {
    const isFp8 = allBut(quantization, "modules_to_not_convert");
    return { isFp8, scaleDtype: "F32", fusedExperts: true };
  }
  if (method !== "compressed-tensors")
    return quantization.fail("quant_method", "must be fbgemm_fp8 or compressed-tensors");
  return { isFp8: allBut(quantization, "ignore"), scaleDtype: "BF16", fusedExperts: false };
}

/** True for every text Linear that the list neither names nor matches, and never for routers. */
function allBut(quantization: FieldReader, field: string): (path: string) => boolean {
  const rules = (quantization.list(field) ?? []).map((rule) => {
    if (typeof rule !== "string") return quantization.fail(field, "must be a list of texts");
    return ruleOf(rule, (what) => quantization.fail(field, what));
  });
  return (path) => !path.endsWith(".router") && !rules.some((rule) => rule(path));
}

/**
 * A rule is a module's path, or of any of the modules above it, or `re:` and a pattern. Of patterns only text and `.*` are known: one from a file is
 * never run as a regular expression, whose time has no bound.
 */
function ruleOf(rule: string, fail: (what: string) => never): (path: string) => boolean {
  if (!rule.startsWith("re:"))
    return (path) => path === rule || path.startsWith(`${rule}.`) || path.endsWith(`.${rule}`);
  const pattern = rule.slice(3).replace(/^\^/, "");
  const isWhole = pattern.endsWith("$");
  const parts = pattern
    .replace(/\$$/, "")
    .split(".*")
    .map((part) => part.replaceAll("\\.", "."));
  if (parts.some((part) => !/^[\w.]*$/.test(part)))
    return fail(`has the pattern ${quoted(rule)}: only text and .* are known`);
  return (path) => matchesParts(path, parts, isWhole);
}

/** Whether a path begins with the first part and has the others behind it in order; `isWhole`: and ends with the last. */
function matchesParts(path: string, parts: readonly string[], isWhole: boolean): boolean {
  const first = at(parts, 0);
  const others = parts.slice(1);
  if (!path.startsWith(first)) return false;
  if (others.length === 0) return !isWhole || path === first;
  let from = first.length;
  for (const part of others) {
    const at = path.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return !isWhole || path.endsWith(at(others, others.length - 1));
}
