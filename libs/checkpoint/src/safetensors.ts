import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { DroverError } from "@drover/core";
import { DTYPE_BYTES, type Dtype, isDtype } from "./dtype.ts";
import { isObject, parseJsonObject } from "./json-file.ts";

/** Where a tensor's bytes are. */
export type TensorInfo = Readonly<{
  dtype: Dtype;
  shape: readonly number[];
  file: string;
  offset: number;
  byteCount: number;
}>;

/** The safetensors format's own limit on headers. */
const HEADER_BYTES_MAX = 100_000_000;

/**
 * Reads and checks a safetensors file's header: its length, every tensor's type, shape and byte range.
 * Errors: `invalid_argument` naming file and tensor. Source: the format's README (8-byte length, JSON, data).
 */
export async function readSafetensorsHeader(file: FileHandle, path: string): Promise<Map<string, TensorInfo>> {
  const name = basename(path);
  const fail = (what: string): never => {
    throw new DroverError("invalid_argument", `${name}: ${what}`);
  };
  const { size } = await file.stat();
  if (size < 8) fail("is too short for a safetensors file");
  const length = Number((await readExactly(file, 0, 8, name)).readBigUInt64LE());
  if (length > HEADER_BYTES_MAX || 8 + length > size)
    fail(`its header claims ${length} bytes and the file has ${size}`);
  const header = parseJsonObject((await readExactly(file, 8, length, name)).toString("utf8"), path);
  const tensors = new Map<string, TensorInfo>();
  const ranges: { tensor: string; begin: number; end: number }[] = [];
  for (const [tensor, entry] of Object.entries(header)) {
    if (tensor === "__metadata__") continue;
    const { dtype, shape, data_offsets: range } = isObject(entry) ? entry : {};
    if (typeof dtype !== "string" || !isDtype(dtype))
      return fail(`tensor ${tensor} has the unsupported type ${JSON.stringify(dtype)}`);
    if (!isCounts(shape)) return fail(`tensor ${tensor} has no valid shape`);
    if (!isCounts(range) || range.length !== 2) return fail(`tensor ${tensor} has no valid byte range`);
    const [begin = 0, end = 0] = range;
    const byteCount = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
    if (end - begin !== byteCount) fail(`tensor ${tensor} has ${end - begin} bytes where its shape takes ${byteCount}`);
    if (8 + length + end > size) fail(`tensor ${tensor} ends beyond the file: it is truncated`);
    tensors.set(tensor, { dtype, shape, file: path, offset: 8 + length + begin, byteCount });
    ranges.push({ tensor, begin, end });
  }
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const [i, { tensor, begin }] of ranges.entries()) {
    if (i > 0 && begin < (ranges[i - 1]?.end ?? 0)) fail(`tensor ${tensor} overlaps ${ranges[i - 1]?.tensor}`);
  }
  return tensors;
}

export async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new DroverError("invalid_argument", `${path} cannot be opened`, { cause });
  }
}

/** Exactly these bytes. Errors: `invalid_argument` when the file ends before them. */
export async function readExactly(
  file: FileHandle,
  position: number,
  byteCount: number,
  name: string,
): Promise<Buffer> {
  const buffer = Buffer.alloc(byteCount);
  for (let done = 0; done < byteCount; ) {
    const { bytesRead } = await file.read(buffer, done, Math.min(byteCount - done, 2 ** 30), position + done);
    if (bytesRead === 0)
      throw new DroverError("invalid_argument", `${name}: ends at byte ${position + done}: it is truncated`);
    done += bytesRead;
  }
  return buffer;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
