import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { DroverError, readFault, tupleOf } from "@drover/core";
import { DIMENSIONS_MAX, HEADER_BYTES_MAX, READ_BYTES_MAX } from "../limits.ts";
import { bytesOf, type Dtype, isDtype } from "./dtype.ts";
import { BEGINNING_BYTES, recognizeBytes } from "./foreign-bytes.ts";
import { isObject, parseJsonObject } from "./json-file.ts";
import { quoted } from "./quoted.ts";

/** Where a tensor's bytes are. */
export type TensorInfo = Readonly<{
  dtype: Dtype;
  shape: readonly number[];
  file: string;
  offset: number;
  byteCount: number;
}>;

/** Bytes of a tensor, counted from the end of the header. */
type ByteRange = Readonly<{ tensor: string; begin: number; end: number }>;

export type SafetensorsHeader = Readonly<{
  tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of data that the header promises and the file lacks; 0 unless that is allowed. */
  missingByteCount: number;
}>;

/**
 * Reads and checks a safetensors file's header: its length, every tensor's type, shape and byte range, and that the ranges fill the file. With
 * `dataMayBeMissing` the file may end before its data does, so that a header alone can be read.
 * Errors: `invalid_argument` naming file and tensor. Source: the format's README (8-byte length, JSON, data without holes).
 */
export async function readSafetensorsHeader(
  file: FileHandle,
  path: string,
  { dataMayBeMissing = false }: Readonly<{ dataMayBeMissing?: boolean }> = {},
): Promise<SafetensorsHeader> {
  const name = basename(path);
  const { size } = await file.stat();
  if (size < 8) return fail(name, "is too short for a safetensors file");
  const start = await readExactly(file, 0, Math.min(size, BEGINNING_BYTES), name);
  const foreign = recognizeBytes(start);
  if (foreign !== undefined) return fail(name, foreign);
  const length = Number(start.readBigUInt64LE());
  if (length > HEADER_BYTES_MAX) return fail(name, `its header claims ${length} bytes: this is no safetensors file`);
  if (8 + length > size)
    return fail(
      name,
      `its header claims ${length} bytes and the file has ${size}: it is truncated; copy it again, or run its download again`,
    );
  const header = parseJsonObject(await readExactly(file, 8, length, name), path);
  const dataStart = 8 + length;
  const tensors = new Map<string, TensorInfo>();
  const ranges: ByteRange[] = [];
  for (const [tensor, entry] of Object.entries(header)) {
    if (tensor === "__metadata__") continue;
    const { dtype, shape, begin, end } = readEntry(entry, name, tensor);
    if (dataStart + end > size && !dataMayBeMissing)
      fail(
        name,
        `tensor ${quoted(tensor)} ends at byte ${dataStart + end} of ${size}: it is truncated; copy it again, or run its download again`,
      );
    tensors.set(tensor, { dtype, shape, file: path, offset: dataStart + begin, byteCount: end - begin });
    ranges.push({ tensor, begin, end });
  }
  const covered = checkRanges(ranges, name);
  if (dataStart + covered < size) fail(name, `has ${size - dataStart - covered} bytes after its last tensor`);
  return { tensors, missingByteCount: Math.max(0, dataStart + covered - size) };
}

/** One tensor's line in the header. */
function readEntry(entry: unknown, file: string, tensor: string) {
  const { dtype, shape, data_offsets: range } = isObject(entry) ? entry : {};
  const name = quoted(tensor);
  if (!isDtype(dtype)) return fail(file, `tensor ${name} has the unknown type ${quoted(dtype)}`);
  if (!isCounts(shape) || shape.length > DIMENSIONS_MAX) return fail(file, `tensor ${name} has no valid shape`);
  if (!isCounts(range) || range.length !== 2) return fail(file, `tensor ${name} has no valid byte range`);
  const [begin, end] = tupleOf(range, 2);
  const byteCount = bytesOf(
    dtype,
    shape.reduce((product, size) => product * size, 1),
  );
  if (end - begin !== byteCount) {
    return fail(file, `tensor ${name} has ${end - begin} bytes where ${dtype} [${shape}] takes ${byteCount}`);
  }
  return { dtype, shape, begin, end };
}

/** The bytes that all ranges cover. The format has neither overlaps nor holes; where there is one, the header does not belong to these bytes. */
function checkRanges(ranges: ByteRange[], file: string): number {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let last = "the header";
  for (const { tensor, begin, end } of ranges) {
    if (begin < covered) fail(file, `tensor ${quoted(tensor)} overlaps ${last}`);
    if (begin > covered) fail(file, `tensor ${quoted(tensor)} begins ${begin - covered} bytes after ${last} ends`);
    covered = end;
    last = quoted(tensor);
  }
  return covered;
}

/** Errors: `invalid_argument` naming the path. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    // Opening a pipe would wait for its writer.
    if (!(await stat(path)).isFile()) throw new DroverError("invalid_argument", `${path} is no file`);
    return await open(path, "r");
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    const why = isAbsence(cause) ? ABSENT : readFault(cause);
    throw new DroverError("invalid_argument", `${path} cannot be opened: ${why}`, { cause });
  }
}

const ABSENT = "it is not there; copy it, or run its download again (hf download), which goes on where it ended";

/** Whether a path leads to nothing, as a link of the hub's cache does whose download is not over. */
function isAbsence(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

/** Exactly these bytes, in a buffer of their own. Errors: as of {@link fillExactly}. */
async function readExactly(file: FileHandle, position: number, byteCount: number, name: string): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(byteCount);
  await fillExactly(file, position, buffer, name);
  return buffer;
}

/** Reads the bytes from `position` on into all of `target`. Errors: `invalid_argument` when the file ends before them, `unavailable` when it cannot be read. */
export async function fillExactly(file: FileHandle, position: number, target: Uint8Array, name: string): Promise<void> {
  for (let done = 0; done < target.byteLength; ) {
    const wanted = Math.min(target.byteLength - done, READ_BYTES_MAX);
    const { bytesRead } = await file.read(target, done, wanted, position + done).catch((cause: unknown) => {
      throw new DroverError("unavailable", `${name} cannot be read at byte ${position + done}: ${readFault(cause)}`, {
        cause,
      });
    });
    if (bytesRead === 0)
      fail(name, `ends at byte ${position + done}: it is truncated; copy it again, or run its download again`);
    done += bytesRead;
  }
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function fail(file: string, what: string): never {
  throw new DroverError("invalid_argument", `${file}: ${what}`);
}
