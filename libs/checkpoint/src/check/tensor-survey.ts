import { join } from "node:path";
import { assert, DroverError } from "@drover/core";
import { loadModelConfig } from "../config/model-config.ts";
import { hasVisionTensors, loadVisionConfig } from "../config/vision-config.ts";
import { readManifest } from "../converted/manifest.ts";
import { AbsentTensor, Checkpoint, requireWeights } from "../files/checkpoint.ts";
import { quoted } from "../files/quoted.ts";
import { openFile, readSafetensorsHeader, type TensorInfo } from "../files/safetensors.ts";
import { exists, INDEX_FILE, readShardIndex, SINGLE_FILE } from "../files/shard-index.ts";
import type { StoredMatrix } from "../stored/stored-matrix.ts";
import { checkTextTensors } from "./text-tensor-check.ts";
import { checkVisionTensors } from "./vision-tensor-check.ts";

/** A tensor of a header; `weightShape` is the weights' own where their numbers are packed or lie in another order, [out, in] or [E, in, out]. */
type SurveyedTensor = TensorInfo & Readonly<{ name: string; weightShape?: readonly number[] }>;

/** What a folder tells about its tensors without a byte of their data: all of it, their names alone, or nothing. */
export type TensorSurvey =
  | Readonly<{
      kind: "headers";
      tensors: readonly SurveyedTensor[];
      /** The first thing for which no process would serve the model; `isAbsent`: a tensor that is not there, and may still come. */
      fault: Readonly<{ message: string; isAbsent: boolean }> | undefined;
      /** Bytes of data that headers promise and files lack. */
      missingByteCount: number;
    }>
  | Readonly<{ kind: "index"; names: readonly string[]; absentFiles: readonly string[] }>
  | Readonly<{ kind: "none" }>;

/**
 * Reads a checkpoint's headers, also of files whose data is not there yet; where files are absent that the index names, the index; where there is
 * neither, nothing. Errors: `invalid_argument` naming file and tensor.
 */
export async function surveyTensors(directory: string, signal: AbortSignal): Promise<TensorSurvey> {
  const index = await readShardIndex(directory);
  const files = index === undefined ? [SINGLE_FILE] : [...new Set(index.values())].sort();
  const absentFiles: string[] = [];
  for (const file of files) if (!(await exists(join(directory, file)))) absentFiles.push(file);
  if (index === undefined) await requireWeights(directory);
  if (absentFiles.length > 0)
    return index === undefined ? { kind: "none" } : { kind: "index", names: [...index.keys()], absentFiles };
  const tensors = new Map<string, TensorInfo>();
  let missingByteCount = 0;
  for (const name of files) {
    signal.throwIfAborted();
    const path = join(directory, name);
    const file = await openFile(path);
    try {
      const header = await readSafetensorsHeader(file, path, { dataMayBeMissing: true });
      missingByteCount += header.missingByteCount;
      for (const [tensor, info] of header.tensors)
        if (index === undefined || index.get(tensor) === name) tensors.set(tensor, info);
    } finally {
      await file.close();
    }
  }
  const absent = [...(index?.keys() ?? [])].find((tensor) => !tensors.has(tensor));
  if (absent !== undefined)
    throw new DroverError(
      "invalid_argument",
      `${index?.get(absent)} has no tensor ${quoted(absent)}, which ${INDEX_FILE} names`,
    );
  // Without files, since nothing is read of them.
  const checkpoint = new Checkpoint(directory, "", tensors, new Map());
  const shapes = new Map<string, readonly number[]>();
  const fault = await faultOf(checkpoint, (matrix) => void shapes.set(matrix.tensor, weightShape(matrix, checkpoint)));
  const surveyed = [...checkpoint.tensors()].map((tensor): SurveyedTensor => {
    const shape = shapes.get(tensor.name);
    return shape === undefined ? tensor : { ...tensor, weightShape: shape };
  });
  return { kind: "headers", tensors: surveyed, fault, missingByteCount };
}

/** Checks the model as every process does. */
async function faultOf(checkpoint: Checkpoint, onStored: (matrix: StoredMatrix) => void) {
  const config = await loadModelConfig(checkpoint.directory);
  const vision = await loadVisionConfig(checkpoint.directory);
  const manifest = await readManifest(checkpoint.directory);
  try {
    checkTextTensors(checkpoint, config, manifest?.setting ?? null, onStored);
    if (vision !== undefined && hasVisionTensors(checkpoint)) checkVisionTensors(checkpoint, vision);
    return undefined;
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return { message: error.message, isAbsent: error instanceof AbsentTensor };
  }
}

function weightShape({ tensor, outSize, inSize, expert }: StoredMatrix, checkpoint: Checkpoint): readonly number[] {
  if (expert === undefined) return [outSize, inSize];
  const [expertCount] = checkpoint.info(tensor).shape;
  assert(expertCount !== undefined, "the first dimension of fused experts is their number");
  return [expertCount, inSize, outSize];
}
