import type { FieldReader } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";
import { readBlock, SERVED_FORMS, type StoredForms } from "./stored-forms.ts";

/** Formats of compressed-tensors that are weights with scales, and `mixed-precision`, of which each group has a format of its own. */
const FORMATS: readonly string[] = [
  "dense",
  "float-quantized",
  "int-quantized",
  "naive-quantized",
  "pack-quantized",
  "nvfp4-pack-quantized",
  "mixed-precision",
];

/** Bits of packed integers that are packed the same by every version: those that divide a word. */
const PACKED_BITS: readonly number[] = [2, 4, 8];

/**
 * Reads the `quantization_config` that compressed-tensors writes: its format, and size and structure of each group's scales.
 * Errors: `invalid_argument` naming the field, for formats, sparsity and rotations that Drover does not undo.
 * Source: compressed-tensors, quantization/quant_config.py and quant_args.py.
 */
export function readCompressedForms(quantization: FieldReader): StoredForms {
  checkFormat(quantization);
  const sparsity = quantization.object("sparsity_config")?.text("format") ?? "dense";
  if (sparsity !== "dense") quantization.fail("sparsity_config.format", `is ${quoted(sparsity)}; ${SERVED_FORMS}`);
  const rotations = quantization.object("transform_config")?.object("config_groups")?.fields ?? [];
  if (rotations.length > 0)
    quantization.fail("transform_config", `turns activations while they are computed; ${SERVED_FORMS}`);
  const groups = quantization.object("config_groups");
  const schemes = (groups?.fields ?? []).flatMap((name) => {
    // A group may be a list of targets, by the name of a preset.
    if (Array.isArray(groups?.raw(name))) return [];
    return groups?.object(name) ?? [];
  });
  for (const scheme of schemes) checkFormat(scheme);
  const weights = schemes.flatMap((scheme) => scheme.object("weights") ?? []);
  return {
    groupSizes: distinct(weights.flatMap(groupSizeOf)),
    blocks: weights.flatMap(blockOf),
    bits: distinct(weights.flatMap(packedBitsOf)),
    quantizesActivations: schemes.some((scheme) => scheme.object("input_activations") !== undefined),
  };
}

function checkFormat(at: FieldReader): void {
  const format = at.text("format") ?? "dense";
  if (!FORMATS.includes(format)) at.fail("format", `is ${quoted(format)}; ${SERVED_FORMS}`);
}

/** Inputs that share one scale; none where -1 or null mean a scale for each output. */
export function groupSizeOf(weights: FieldReader): number[] {
  const size = weights.raw("group_size");
  return size === undefined || size === -1 ? [] : [weights.count("group_size")];
}

/** A block's sides: `[128, 128]`, or `128x128` in older files. */
export function blockOf(weights: FieldReader): (readonly [number, number])[] {
  const structure = weights.raw("block_structure");
  if (structure === undefined) return [];
  const size = typeof structure === "string" ? structure.split("x").map(Number) : weights.list("block_structure");
  return [readBlock(weights, "block_structure", size ?? [])];
}

function packedBitsOf(weights: FieldReader): number[] {
  if (weights.text("type") === "float" || weights.raw("num_bits") === undefined) return [];
  const bits = weights.count("num_bits");
  if (!PACKED_BITS.includes(bits))
    weights.fail("num_bits", `is ${bits}; Drover reads integers of ${PACKED_BITS.join(", ")} bits`);
  return [bits];
}

const distinct = (numbers: readonly number[]): number[] => [...new Set(numbers)];
