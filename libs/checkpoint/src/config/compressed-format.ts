import type { StoredFormat } from "@drover/llama4";
import type { FieldReader } from "../files/json-file.ts";
import { blockOf, groupSizeOf } from "./compressed-tensors.ts";
import { moduleRule } from "./module-rule.ts";

type ScaleType = Readonly<{ scaleDtype: string; scaleBytes: number }>;

/** Which modules a scheme is for, and what it makes of their weights. */
type Scheme = Readonly<{ isOf: (path: string) => boolean; format: StoredFormat }>;

/** How compressed-tensors stores each module, by the first of its groups whose targets name it; without groups FP8 with a scale an output. */
export function compressedFormat(fields: FieldReader, scale: ScaleType) {
  const groups = fields.object("config_groups");
  const schemes = (groups?.fields ?? []).flatMap((name): Scheme[] => {
    const group = Array.isArray(groups?.raw(name)) ? undefined : groups?.object(name);
    const weights = group?.object("weights");
    if (group === undefined || weights === undefined) return [];
    return [{ isOf: targetsOf(group), format: formatOf(fields, group, weights, scale) }];
  });
  if (schemes.length === 0) schemes.push({ isOf: () => true, format: { kind: "fp8", ...scale } });
  return (path: string): StoredFormat | undefined => schemes.find(({ isOf }) => isOf(path))?.format;
}

/** `Linear` is the class of all of them; other names of classes match none. */
function targetsOf(group: FieldReader): (path: string) => boolean {
  const targets = (group.list("targets") ?? ["Linear"]).filter((target) => typeof target === "string");
  if (targets.includes("Linear")) return () => true;
  let rules: ((path: string) => boolean)[] | undefined;
  return (path) => {
    rules ??= targets.map((target) => moduleRule(target, (what) => group.fail("targets", what)));
    return rules.some((rule) => rule(path));
  };
}

function formatOf(fields: FieldReader, group: FieldReader, weights: FieldReader, scale: ScaleType): StoredFormat {
  const bits = weights.count("num_bits", 8);
  const isFloat = weights.text("type") === "float";
  if (isFloat && bits === 4) return { kind: "nvfp4", by: "compressed-tensors" };
  const [groupSize] = groupSizeOf(weights);
  const [block] = blockOf(weights);
  const named = group.text("format") ?? fields.text("format");
  const isPacked =
    named === "pack-quantized" || (named === "mixed-precision" && group.object("input_activations") === undefined);
  if (!isFloat && isPacked) {
    const isSymmetric = weights.boolean("symmetric", true);
    return { kind: "packed", bits, groupSize: groupSize ?? null, isSymmetric, ...scale };
  }
  const kind = isFloat ? "fp8" : "int8";
  if (weights.text("strategy") === "tensor") return { kind, ...scale, grid: "whole" };
  if (block !== undefined) return { kind, ...scale, grid: block };
  return { kind, ...scale, grid: groupSize === undefined ? "outputs" : [1, groupSize] };
}
