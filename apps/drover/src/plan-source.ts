import {
  loadModelConfig,
  loadStoredFormat,
  loadStoredVision,
  type ModelConfig,
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
} from "@drover/planning";

/** A checkpoint's shapes, and where they were read. */
export type PlanSource = Readonly<{
  model: ModelConfig;
  tensors: readonly TensorShape[];
  origin: "headers" | "index" | "config";
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
  if (survey.kind === "headers") {
    for (const { name } of survey.tensors) checkLayer(name, model);
    const { missingByteCount } = survey;
    const notes =
      missingByteCount === 0
        ? []
        : [`The files lack ${missingByteCount.toLocaleString("en")} bytes of the data that their headers promise.`];
    return { model, tensors: survey.tensors, origin: "headers", notes };
  }
  const formats = await storedFormats(directory, survey);
  const vision = await loadStoredVision(directory);
  const derived = [
    ...textTensors(model, formats),
    ...(vision === undefined ? [] : visionTensors(vision, model.hiddenSize, formats.plain)),
  ];
  if (survey.kind === "none") return { model, tensors: derived, origin: "config", notes: [] };
  return { model, origin: "index", ...named(derived, survey.names, survey.absentFiles) };
}

/** The derived tensors that an index names. One that it lacks is left out, and one that cannot be derived is only told of. */
function named(derived: readonly TensorShape[], names: readonly string[], absentFiles: readonly string[]) {
  const inIndex = new Set(names);
  const known = new Set(derived.map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  const lacking = derived.filter(({ name }) => !inIndex.has(name));
  const notes = [
    `${absentFiles.length} files that the index names are absent: sizes follow from names and config.json.`,
  ];
  const [firstUnknown] = unknown;
  if (firstUnknown !== undefined)
    notes.push(
      `${unknown.length} tensors of the index have no known size and are not counted, such as ${firstUnknown}.`,
    );
  const [firstLacking] = lacking;
  if (firstLacking !== undefined)
    notes.push(
      `${lacking.length} tensors that config.json calls for are not in the index, such as ${firstLacking.name}.`,
    );
  return { tensors: derived.filter(({ name }) => inIndex.has(name)), notes };
}

/** How tensors are stored: by the scales that an index names, or as config.json says. */
async function storedFormats(directory: string, survey: TensorSurvey): Promise<StoredFormats> {
  const { dtype, fp8 } = await loadStoredFormat(directory);
  const plain = { kind: "plain", dtype, elementBytes: DTYPE_BYTES[dtype] } as const;
  const scaleDtype = fp8?.scaleDtype ?? "F32";
  const scaled: StoredFormat = { kind: "fp8", scaleDtype, scaleBytes: DTYPE_BYTES[scaleDtype] };
  if (survey.kind !== "index") {
    const linear = (path: string) => (fp8?.isFp8(path) === true ? scaled : plain);
    return { plain, linear, fusedExperts: fp8?.fusedExperts ?? true };
  }
  const names = new Set(survey.names);
  const isScaled = (path: string) => names.has(`${path}.weight_scale`) || names.has(`${path}.gate_up_proj_scale`);
  return {
    plain,
    linear: (path) => (isScaled(path) ? scaled : plain),
    fusedExperts: !survey.names.some((name) => /\.feed_forward\.experts\.\d+\./.test(name)),
  };
}

function checkLayer(name: string, model: ModelConfig): void {
  const { layer } = tensorPurpose(name);
  if (layer >= model.layerCount)
    throw new DroverError(
      "invalid_argument",
      `config.json names ${model.layerCount} layers, and there is a tensor ${name}`,
    );
}
