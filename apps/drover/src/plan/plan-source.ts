import {
  describeSetting,
  loadModelConfig,
  loadStoredFormat,
  loadVisionConfig,
  type ModelConfig,
  type Quantization,
  readManifest,
  surveyTensors,
  type TensorSurvey,
} from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import {
  type StoredFormat,
  type StoredFormats,
  type TensorShape,
  tensorPurpose,
  textTensors,
  visionTensors,
} from "@drover/llama4";
import { quantized } from "./plan-quantize.ts";

/** A checkpoint's shapes, and where they were read. */
export type PlanSource = Readonly<{
  model: ModelConfig;
  tensors: readonly TensorShape[];
  origin: "headers" | "index" | "config";
  /** What a converted folder was converted to, such as `int4-128`; null for any other. */
  converted: string | null;
  /** What an operator should know about the files. */
  notes: readonly string[];
}>;

const DTYPE_BYTES = { BF16: 2, F16: 2, F32: 4 } as const;

/**
 * Reads shapes from safetensors headers; where data files are absent, from the index's names and config.json; from config.json alone where there is
 * neither. Errors: `invalid_argument` naming file, field and tensor.
 */
export async function readPlanSource(directory: string, signal: AbortSignal): Promise<PlanSource> {
  const model = await loadModelConfig(directory);
  const survey = await surveyTensors(directory, signal);
  if (survey.kind === "headers") return fromHeaders(directory, model, survey);
  const formats = await storedFormats(directory, survey);
  const said = activations(model);
  const vision = await loadVisionConfig(directory);
  const derived = [
    ...textTensors(model, formats),
    ...(vision === undefined ? [] : visionTensors(vision, formats.plain)),
  ];
  if (survey.kind === "none") return { model, tensors: derived, origin: "config", converted: null, notes: said };
  const { tensors, notes } = named(derived, survey.names, survey.absentFiles);
  return { model, tensors, origin: "index", converted: null, notes: [...notes, ...said] };
}

async function fromHeaders(
  directory: string,
  model: ModelConfig,
  survey: Extract<TensorSurvey, { kind: "headers" }>,
): Promise<PlanSource> {
  for (const { name } of survey.tensors) checkLayer(name, model);
  const manifest = await readManifest(directory);
  const { missingByteCount, fault } = survey;
  const notes: string[] = activations(model);
  if (missingByteCount > 0)
    notes.push(`The files lack ${missingByteCount.toLocaleString("en")} bytes of the data that their headers promise.`);
  if (fault !== undefined) {
    if (!fault.isAbsent) throw new DroverError("invalid_argument", fault.message);
    notes.push(`It cannot be served as it is: ${fault.message}.`);
  }
  const converted = manifest === null ? null : describeSetting(manifest.setting);
  const tensors = manifest === null ? survey.tensors : withUnits(survey.tensors, model, manifest.setting.layers);
  return { model, tensors, origin: "headers", converted, notes };
}

/** What a checkpoint asks for that no worker does. */
function activations({ storedForms }: ModelConfig): string[] {
  if (storedForms?.quantizesActivations !== true) return [];
  return [
    "The checkpoint asks for quantized activations; workers compute them in f32, which is closer to the unquantized model.",
  ];
}

/** A converted folder's headers name what kept its type; its other tensors follow from config.json. */
function withUnits(kept: readonly TensorShape[], model: ModelConfig, quantization: Quantization): TensorShape[] {
  const names = new Set(kept.map(({ name }) => name));
  const plain = { kind: "plain", dtype: "BF16", elementBytes: DTYPE_BYTES.BF16 } as const;
  const whole = textTensors(model, { plain, linear: () => plain, fusedExperts: true });
  // A checkpoint of text alone has no prefix, so that names are compared without one.
  const isKept = (name: string) => names.has(name) || names.has(name.replace(/^language_model\./, ""));
  return [...kept, ...quantized(whole, model, quantization).filter(({ name }) => !isKept(name))];
}

/** The derived tensors that an index names. One that it lacks is left out, and one that cannot be derived is only told of. */
function named(derived: readonly TensorShape[], names: readonly string[], absentFiles: readonly string[]) {
  const inIndex = new Set(names);
  const known = new Set(derived.map(({ name }) => name));
  // Scales of inputs and of the KV cache are not read.
  const unknown = names.filter((name) => !known.has(name) && !tensorPurpose(name).isScale);
  const lacking = derived.filter(({ name }) => !inIndex.has(name));
  const files = counted(absentFiles.length, "file that the index names is", "files that the index names are");
  const notes = [
    `${files} absent: sizes follow from names and config.json.`,
    ...told(unknown, "tensor of the index is", "tensors of the index are", "of no known size and not counted"),
    ...told(
      lacking.map(({ name }) => name),
      "tensor that config.json calls for is",
      "tensors that config.json calls for are",
      "not in the index",
    ),
  ];
  return { tensors: derived.filter(({ name }) => inIndex.has(name)), notes };
}

function told(names: readonly string[], one: string, many: string, what: string): string[] {
  const [first] = names;
  if (first === undefined) return [];
  return [`${counted(names.length, one, many)} ${what}${names.length === 1 ? ":" : ", such as"} ${first}.`];
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

const FP8_BY_FBGEMM: StoredFormat = { kind: "fp8", scaleDtype: "F32", scaleBytes: DTYPE_BYTES.F32 };

/** How tensors are stored: by the scales that an index names, or as config.json says. */
async function storedFormats(directory: string, survey: TensorSurvey): Promise<StoredFormats> {
  const { dtype, quantized } = await loadStoredFormat(directory);
  const plain = { kind: "plain", dtype, elementBytes: DTYPE_BYTES[dtype] } as const;
  if (survey.kind !== "index") {
    const linear = (path: string) => quantized?.formatOf(path) ?? plain;
    return { plain, linear, fusedExperts: quantized?.fusedExperts ?? true };
  }
  const names = new Set(survey.names);
  const isScaled = (path: string) => SCALE_NAMES.some((suffix) => names.has(path + suffix));
  const scheme = (path: string) => (quantized === undefined ? FP8_BY_FBGEMM : (quantized.schemeOf(path) ?? plain));
  return {
    plain,
    linear: (path) => (isScaled(path) ? scheme(path) : plain),
    fusedExperts: !survey.names.some((name) => /\.feed_forward\.experts\.\d+\./.test(name)),
  };
}

/** What the names of a quantized module's tensors end with, one of them at least. */
const SCALE_NAMES = [
  ".weight_scale",
  ".weight_scale_inv",
  ".gate_up_proj_scale",
  ".gate_up_proj_weight_scale",
  ".gate_up_proj_scale_inv",
];

function checkLayer(name: string, model: ModelConfig): void {
  const { layer } = tensorPurpose(name);
  if (layer >= model.layerCount)
    throw new DroverError(
      "invalid_argument",
      `config.json names ${model.layerCount} layers, and there is a tensor ${name}`,
    );
}
