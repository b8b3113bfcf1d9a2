import { assert } from "@drover/core";
import type { ModelConfig } from "../config/model-config.ts";
import { type LinearRows, sliceRows, stackRows } from "../tensors/linear-rows.ts";
import type { Quantization } from "../tensors/quantization.ts";
import type { TextWeights } from "../tensors/text-weights.ts";
import { type LinearShape, partRows, type UnitLayout, unitLayout } from "./layout.ts";
import type { ConversionSetting } from "./setting.ts";

/** What is converted, and later loaded, as a whole: one file. */
export type UnitId =
  | Readonly<{ kind: "attention" | "dense" | "shared"; layer: number }>
  | Readonly<{ kind: "expert"; layer: number; expert: number }>
  /** The head is large: its rows are cut, so that a kill never costs more than some seconds. */
  | Readonly<{ kind: "head"; part: number }>;

/** A unit's file, relative to the converted folder. */
export function unitFile(id: UnitId): string {
  const number = (value: number) => String(value).padStart(3, "0");
  if (id.kind === "head") return `head/${number(id.part)}.weights`;
  const folder = `layers/${number(id.layer)}`;
  return id.kind === "expert" ? `${folder}/experts/${number(id.expert)}.weights` : `${folder}/${id.kind}.weights`;
}

/** Where everything is in a unit's file. */
export function layoutOf(id: UnitId, config: ModelConfig, setting: ConversionSetting): UnitLayout {
  const format = id.kind === "head" ? setting.head : setting.layers;
  assert(format !== null, "a head that is a unit is quantized");
  return unitLayout(unitShapes(id, config, format), format);
}

/** A unit's Linears: attention has qkv and the output projection, the others gate with up, and down. */
function unitShapes(id: UnitId, config: ModelConfig, format: Quantization): LinearShape[] {
  const { hiddenSize, expertWidth, denseWidth } = config;
  const mlp = (width: number) => [
    { outSize: 2 * width, inSize: hiddenSize },
    { outSize: hiddenSize, inSize: width },
  ];
  switch (id.kind) {
    case "attention": {
      const queryWidth = config.headCount * config.headDim;
      const keyWidth = config.kvHeadCount * config.headDim;
      return [
        { outSize: queryWidth + 2 * keyWidth, inSize: hiddenSize },
        { outSize: hiddenSize, inSize: queryWidth },
      ];
    }
    case "dense":
      return mlp(denseWidth);
    case "shared":
    case "expert":
      return mlp(expertWidth);
    case "head":
      return [{ outSize: headPart(id.part, config, format).rowCount, inSize: hiddenSize }];
  }
}

/** Every unit of a model, in the order in which they are converted. The head is one where the setting quantizes it. */
export function modelUnits(config: ModelConfig, setting: ConversionSetting): UnitId[] {
  const units: UnitId[] = [];
  for (let layer = 0; layer < config.layerCount; layer++) {
    units.push({ kind: "attention", layer });
    if (!config.moeLayers.includes(layer)) {
      units.push({ kind: "dense", layer });
      continue;
    }
    units.push({ kind: "shared", layer });
    for (let expert = 0; expert < config.expertCount; expert++) units.push({ kind: "expert", layer, expert });
  }
  return [...units, ...headUnits(config, setting)];
}

/** The head's units, in the order of their rows; none where the head is not quantized. */
export function headUnits(config: ModelConfig, { head }: ConversionSetting): UnitId[] {
  return head === null ? [] : headParts(config, head).map((_, part) => ({ kind: "head", part }));
}

function headParts({ vocabSize, hiddenSize }: ModelConfig, format: Quantization) {
  return partRows({ outSize: vocabSize, inSize: hiddenSize }, format);
}

function headPart(part: number, config: ModelConfig, format: Quantization) {
  const found = headParts(config, format)[part];
  assert(found !== undefined, "a part of the head is one that there is");
  return found;
}

/** A unit's Linears in the source, in the order of its layout. Errors: those of {@link TextWeights}. */
export async function unitRows(
  id: UnitId,
  config: ModelConfig,
  setting: ConversionSetting,
  weights: TextWeights,
): Promise<readonly LinearRows[]> {
  const stack = async (prefix: string, names: readonly string[]) => {
    const linears: LinearRows[] = [];
    for (const name of names) linears.push(await weights.linearRows(`${prefix}.${name}`));
    return stackRows(linears);
  };
  const mlp = async (prefix: string) => [
    await stack(prefix, ["gate_proj", "up_proj"]),
    await stack(prefix, ["down_proj"]),
  ];
  switch (id.kind) {
    case "attention": {
      const attention = `model.layers.${id.layer}.self_attn`;
      return [await stack(attention, ["q_proj", "k_proj", "v_proj"]), await stack(attention, ["o_proj"])];
    }
    case "dense":
      return mlp(`model.layers.${id.layer}.feed_forward`);
    case "shared":
      return mlp(`model.layers.${id.layer}.feed_forward.shared_expert`);
    case "expert": {
      const { gateUp, down } = await weights.expertRows(id.layer, id.expert);
      return [gateUp, down];
    }
    case "head": {
      assert(setting.head !== null, "a head that is a unit is quantized");
      const { firstRow, rowCount } = headPart(id.part, config, setting.head);
      return [sliceRows(await weights.linearRows("lm_head"), firstRow, rowCount)];
    }
  }
}
