import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { loadModelConfig, type ModelConfig } from "../config/model-config.ts";
import { type Checkpoint, openCheckpoint } from "../files/checkpoint.ts";
import { CONVERTED_PART_BYTES_MAX } from "../limits.ts";
import type { Quantization } from "../tensors/quantization.ts";
import { TextWeights } from "../tensors/text-weights.ts";
import { checkCompanions, copyCompanions } from "./companions.ts";
import type { FileRecord } from "./file-record.ts";
import { Journal, readJournal } from "./journal.ts";
import { keptFiles } from "./kept-tensors.ts";
import { writeKeptFile } from "./kept-writer.ts";
import { type ConversionId, exists, MANIFEST, manifestText, WORK_FOLDER } from "./manifest.ts";
import {
  hasSize,
  openOutFolder,
  publish,
  refuseOther,
  removeWorkFolder,
  requireSpace,
  writeWhole,
} from "./out-folder.ts";
import type { Packer } from "./packing.ts";
import { conversionSetting } from "./setting.ts";
import { sourceDigest } from "./source-digest.ts";
import { writeUnit } from "./unit-writer.ts";
import { layoutOf, modelUnits, unitFile, unitRows } from "./units.ts";

export type ConversionProgress = Readonly<{
  /** The file that is next, or null at the end. */
  file: string | null;
  doneBytes: number;
  totalBytes: number;
  /** Files among the done ones that an earlier run has written. */
  keptBytes: number;
}>;

export type ConversionOptions = Readonly<{
  source: string;
  out: string;
  quantization: Quantization;
  packer: Packer;
  onProgress: (progress: ConversionProgress) => void;
  signal: AbortSignal;
}>;

/** Room for the index, the manifest, and what the packer writes of one matrix: it saves the matrix as it is and packed. */
const SCRATCH_BYTES = 3 * CONVERTED_PART_BYTES_MAX;

type Task = Readonly<{
  file: string;
  byteCount: number;
  /** Whether what a kill has left of it is taken up. */
  continues: boolean;
  write: (path: string) => Promise<Omit<FileRecord, "file">>;
}>;

/**
 * Writes a checkpoint's quantized form to `out`, file by file: experts and layers in files of their own, all else in its own type. May be killed at any
 * moment and called again: files that were finished are kept, and the result is the same. Memory: an expert's bytes as they are stored, and a few times the
 * largest matrix of a file. Returns whether there was anything to do. Errors: `invalid_argument` for a source that cannot be read, an `out` that
 * belongs to something else, or a disk without room, each before anything is written; those of the file system; the signal's reason.
 */
export async function convertCheckpoint(options: ConversionOptions): Promise<"converted" | "already converted"> {
  const { source, quantization, packer, signal } = options;
  if (await exists(join(source, MANIFEST))) {
    throw new DroverError("invalid_argument", `${source} was converted already; name the checkpoint that it came from`);
  }
  await checkCompanions(source);
  const config = await loadModelConfig(source);
  await using checkpoint = await openCheckpoint(source);
  const weights = new TextWeights(checkpoint, config);
  const setting = conversionSetting(quantization);
  const id = { source: await sourceDigest(checkpoint, signal), setting, packing: packer.kind };
  const finished = await openOutFolder(options.out, id);
  const out = await realpath(options.out);
  if (finished !== null) {
    await removeWorkFolder(out);
    return "already converted";
  }
  const left = await readJournal(out);
  if (left.id !== undefined) refuseOther(left.id, id, out);
  const scratch = join(out, WORK_FOLDER, `scratch-${process.pid}`);
  const tasks = await planTasks(config, checkpoint, weights, id, packer, scratch, signal);
  const open = await openTasks(tasks, left.records, out);
  await requireSpace(out, totals(open).totalBytes + SCRATCH_BYTES);
  await freshScratch(out, scratch);
  try {
    await using journal = await Journal.open(out, id, left);
    await runTasks(tasks, open, journal, out, scratch, options);
    await finish(checkpoint, tasks, { id, journal }, out, scratch);
    options.onProgress({ ...totals(tasks), file: null });
    return "converted";
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Everything that is to be written, once all of the source has been found to be there in the right shapes. */
async function planTasks(
  config: ModelConfig,
  checkpoint: Checkpoint,
  weights: TextWeights,
  id: ConversionId,
  packer: Packer,
  scratch: string,
  signal: AbortSignal,
): Promise<Task[]> {
  const units = modelUnits(config, id.setting);
  for (const unit of units) {
    signal.throwIfAborted();
    await unitRows(unit, config, id.setting, weights);
  }
  const kept = keptFiles(checkpoint.tensors(), id.setting).map((file): Task => {
    const write = (path: string) => writeKeptFile(path, file, checkpoint, signal);
    return { file: file.file, byteCount: file.byteCount, continues: true, write };
  });
  const converted = units.map((unit): Task => {
    const layout = layoutOf(unit, config, id.setting);
    const write = async (path: string) =>
      writeUnit(path, layout, await unitRows(unit, config, id.setting, weights), packer, scratch, signal);
    return { file: unitFile(unit), byteCount: layout.byteCount, continues: false, write };
  });
  return [...kept, ...converted];
}

/** Those that no earlier run has finished. */
async function openTasks(tasks: readonly Task[], records: readonly FileRecord[], out: string): Promise<Task[]> {
  const done = new Map(records.map(({ file, byteCount }) => [file, byteCount]));
  const open: Task[] = [];
  for (const task of tasks) {
    const isDone = done.get(task.file) === task.byteCount && (await hasSize(join(out, task.file), task.byteCount));
    if (!isDone) open.push(task);
  }
  return open;
}

async function runTasks(
  tasks: readonly Task[],
  open: readonly Task[],
  journal: Journal,
  out: string,
  scratch: string,
  { onProgress, signal }: ConversionOptions,
): Promise<void> {
  const { totalBytes } = totals(tasks);
  const keptBytes = totalBytes - totals(open).totalBytes;
  let doneBytes = keptBytes;
  for (const task of open) {
    signal.throwIfAborted();
    onProgress({ file: task.file, doneBytes, totalBytes, keptBytes });
    const path = task.continues ? join(out, WORK_FOLDER, `${task.file}.part`) : join(scratch, "unit");
    const record = await task.write(path);
    await publish(path, join(out, task.file));
    await journal.record({ file: task.file, ...record });
    doneBytes += task.byteCount;
  }
}

/** Writes what makes the folder a checkpoint; the manifest last. */
async function finish(
  checkpoint: Checkpoint,
  tasks: readonly Task[],
  { id, journal }: Readonly<{ id: ConversionId; journal: Journal }>,
  out: string,
  scratch: string,
): Promise<void> {
  await copyCompanions(checkpoint.directory, out);
  const weightMap = Object.fromEntries(
    keptFiles(checkpoint.tensors(), id.setting).flatMap(({ file, tensors }) => tensors.map(({ name }) => [name, file])),
  );
  const index = `${JSON.stringify({ metadata: {}, weight_map: weightMap }, null, 1)}\n`;
  await writeWhole(join(out, "model.safetensors.index.json"), index, scratch);
  const files = tasks.flatMap(({ file }) => journal.done.get(file) ?? []);
  await writeWhole(join(out, MANIFEST), manifestText({ ...id, files }), scratch);
  await removeWorkFolder(out);
}

/** Makes the folder for what this process is writing; what killed ones have left is removed. */
async function freshScratch(out: string, scratch: string): Promise<void> {
  const work = join(out, WORK_FOLDER);
  await mkdir(work, { recursive: true });
  for (const name of await readdir(work)) {
    const [, pid] = /^scratch-(\d+)$/.exec(name) ?? [];
    if (pid === undefined || (Number(pid) !== process.pid && isAlive(Number(pid)))) continue;
    await rm(join(work, name), { recursive: true });
  }
  await mkdir(scratch);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // There is none, or it is somebody else's: either way it converts nothing here.
    return false;
  }
}

function totals(tasks: readonly Task[]): Omit<ConversionProgress, "file"> {
  const totalBytes = tasks.reduce((sum, { byteCount }) => sum + byteCount, 0);
  return { doneBytes: totalBytes, totalBytes, keptBytes: 0 };
}
