import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { assert, DroverError } from "@drover/core";
import { JSON_BYTES_MAX } from "../limits.ts";
import { isWeightDtype, toF32, WEIGHT_DTYPES, type WeightDtype } from "./dtype.ts";
import { recognizeWeights } from "./foreign-folder.ts";
import { readRegularFile } from "./json-file.ts";
import { quoted } from "./quoted.ts";
import { fillExactly, openFile, readSafetensorsHeader, type TensorInfo } from "./safetensors.ts";
import { exists, INDEX_FILE, readShardIndex, SINGLE_FILE } from "./shard-index.ts";

/** The fault of a checkpoint that lacks a tensor, as one does that is not copied whole yet: `invalid_argument`. */
export class AbsentTensor extends DroverError {}

/** A checkpoint's tensors, in one safetensors file or sharded by an index; only the bytes that are asked for are read. */
export class Checkpoint implements AsyncDisposable {
  readonly directory: string;
  /** The fingerprint of config.json and every tensor's place: equal for workers that may serve together. */
  readonly fingerprint: string;
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  readonly #files: ReadonlyMap<string, FileHandle>;

  constructor(
    directory: string,
    fingerprint: string,
    tensors: ReadonlyMap<string, TensorInfo>,
    files: ReadonlyMap<string, FileHandle>,
  ) {
    this.directory = directory;
    this.fingerprint = fingerprint;
    this.#tensors = tensors;
    this.#files = files;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** All tensors, with their names. */
  *tensors(): Generator<TensorInfo & Readonly<{ name: string }>> {
    for (const [name, info] of this.#tensors) yield { name, ...info };
  }

  /** Errors: {@link AbsentTensor} naming the folder and the tensor that it lacks. */
  info(name: string): TensorInfo {
    const info = this.#tensors.get(name);
    if (info === undefined)
      throw new AbsentTensor("invalid_argument", `${this.directory} has no tensor ${quoted(name)}`);
    return info;
  }

  /** A tensor's type, where it is one that holds weights. Errors: `invalid_argument` naming file, tensor and type. */
  weightDtype(name: string): WeightDtype {
    const { dtype, file } = this.info(name);
    if (isWeightDtype(dtype)) return dtype;
    throw new DroverError(
      "invalid_argument",
      `${basename(file)}: tensor ${quoted(name)} is ${dtype}; Drover reads weights in ${WEIGHT_DTYPES.join(", ")}`,
    );
  }

  /** Bytes [start, start + byteCount) of a tensor, and no others: one positional read. */
  async readBytes(name: string, start = 0, byteCount = this.info(name).byteCount - start): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(byteCount);
    await this.fill(name, start, bytes);
    return bytes;
  }

  /** Reads the bytes of a tensor from `start` on into all of `target`: one positional read, without a copy. */
  async fill(name: string, start: number, target: Uint8Array): Promise<void> {
    const info = this.info(name);
    const file = this.#files.get(info.file);
    assert(file !== undefined, "every tensor's file is open");
    assert(start >= 0 && start + target.byteLength <= info.byteCount, "a read stays inside its tensor");
    await fillExactly(file, info.offset + start, target, basename(info.file));
  }

  /** A whole tensor as f32, row-major; FP8 without its scale. */
  async readF32(name: string): Promise<Float32Array> {
    const dtype = this.weightDtype(name);
    return toF32(await this.readBytes(name), dtype);
  }

  /** Entries [first, first + count) along the first dimension, as f32. */
  async readF32Slice(name: string, first: number, count: number): Promise<Float32Array> {
    const dtype = this.weightDtype(name);
    return toF32(await this.readSlice(name, first, count), dtype);
  }

  /** Entries [first, first + count) along the first dimension, as they are. */
  async readSlice(name: string, first: number, count: number): Promise<Uint8Array> {
    const { shape, byteCount } = this.info(name);
    const [length = 1] = shape;
    assert(first >= 0 && count >= 0 && first + count <= length, "a slice stays inside its tensor");
    const entryBytes = length === 0 ? 0 : byteCount / length;
    return this.readBytes(name, first * entryBytes, count * entryBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}

/** Opens a checkpoint's folder and checks every header. Errors: `invalid_argument` naming file and tensor. */
export async function openCheckpoint(directory: string): Promise<Checkpoint> {
  const files = new Map<string, FileHandle>();
  const tensors = new Map<string, TensorInfo>();
  try {
    const index = await readShardIndex(directory);
    if (index === undefined) await requireWeights(directory);
    for (const name of index === undefined ? [SINGLE_FILE] : [...new Set(index.values())].sort()) {
      const path = join(directory, name);
      const file = await openFile(path);
      files.set(path, file);
      for (const [tensor, info] of (await readSafetensorsHeader(file, path)).tensors) {
        if (index === undefined || index.get(tensor) === name) tensors.set(tensor, info);
      }
    }
    for (const [tensor, file] of index ?? []) {
      if (!tensors.has(tensor))
        throw new DroverError(
          "invalid_argument",
          `${file} has no tensor ${quoted(tensor)}, which ${INDEX_FILE} says it holds`,
        );
    }
    return new Checkpoint(directory, await fingerprint(directory, tensors), tensors, files);
  } catch (error) {
    for (const file of files.values()) await file.close();
    throw error;
  }
}

/** Errors: `invalid_argument` saying what the weights are, where they are none that Drover reads. */
export async function requireWeights(directory: string): Promise<void> {
  const path = join(directory, SINGLE_FILE);
  const what = (await exists(path)) ? undefined : await recognizeWeights(directory);
  if (what !== undefined) throw new DroverError("invalid_argument", `${path} cannot be opened: ${what}`);
}

async function fingerprint(directory: string, tensors: ReadonlyMap<string, TensorInfo>): Promise<string> {
  const hash = createHash("sha256").update(await readRegularFile(join(directory, "config.json"), JSON_BYTES_MAX));
  for (const [name, info] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${info.dtype} ${info.shape.join("x")} ${basename(info.file)} ${info.offset}\n`);
  }
  return hash.digest("hex").slice(0, 32);
}
