import { join } from "node:path";
import { DroverError } from "@drover/core";
import { loadModelConfig } from "../config/model-config.ts";
import { readManifest } from "../converted/manifest.ts";
import { Checkpoint, requireWeights } from "../files/checkpoint.ts";
import { quoted } from "../files/quoted.ts";
import { openFile, readSafetensorsHeader, type TensorInfo } from "../files/safetensors.ts";
import { exists, INDEX_FILE, readShardIndex, SINGLE_FILE } from "../files/shard-index.ts";
import { checkTextTensors } from "./text-tensor-check.ts";

/** What a folder tells about its tensors without a byte of their data: all of it, their names alone, or nothing. */
export type TensorSurvey =
  | Readonly<{
      kind: "headers";
      tensors: readonly (TensorInfo & Readonly<{ name: string }>)[];
      /** The first fault for which the text model could not be served, be its data there or not. */
      fault: string | undefined;
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
  const fault = await faultOf(checkpoint);
  return { kind: "headers", tensors: [...checkpoint.tensors()], fault, missingByteCount };
}

async function faultOf(checkpoint: Checkpoint): Promise<string | undefined> {
  const config = await loadModelConfig(checkpoint.directory);
  const manifest = await readManifest(checkpoint.directory);
  try {
    checkTextTensors(checkpoint, config, manifest?.setting ?? null);
    return undefined;
  } catch (error) {
    if (error instanceof DroverError) return error.message;
    throw error;
  }
}
