import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Checkpoint } from "../files/checkpoint.ts";
import { COPY_BYTES } from "../limits.ts";
import { writeExactly } from "./file-hash.ts";
import type { FileRecord } from "./file-record.ts";
import { type KeptFile, tensorBytes } from "./kept-tensors.ts";

/**
 * Writes tensors as they are to a safetensors file, and leaves it on disk. Where the file is there already, what it has of the right bytes is kept: an
 * embedding of gigabytes is longer in writing than some have between two kills. Errors: those of the source.
 */
export async function writeKeptFile(
  path: string,
  kept: KeptFile,
  source: Checkpoint,
  signal: AbortSignal,
): Promise<Omit<FileRecord, "file">> {
  await using file = await open(path, constants.O_RDWR | constants.O_CREAT);
  await file.truncate(Math.min((await file.stat()).size, kept.byteCount));
  const hash = createHash("sha256");
  const found = Buffer.allocUnsafeSlow(COPY_BYTES);
  let at = 0;
  const append = async (bytes: Uint8Array) => {
    hash.update(bytes);
    if (!(await holds(file, at, bytes, found))) await writeExactly(file, bytes, at);
    at += bytes.length;
  };
  await append(kept.header);
  for (const tensor of kept.tensors) {
    const byteCount = tensorBytes(tensor);
    for (let done = 0; done < byteCount; done += COPY_BYTES) {
      signal.throwIfAborted();
      await append(await source.readBytes(tensor.name, done, Math.min(COPY_BYTES, byteCount - done)));
    }
  }
  await file.sync();
  return { byteCount: at, sha256: hash.digest("hex"), prepared: null };
}

/** Whether a file has these bytes there; a short read counts as no, which costs a write and nothing else. */
async function holds(file: FileHandle, at: number, bytes: Uint8Array, buffer: Buffer): Promise<boolean> {
  if (bytes.length > buffer.length) return false;
  const { bytesRead } = await file.read(buffer, 0, bytes.length, at);
  return bytesRead === bytes.length && buffer.subarray(0, bytesRead).equals(bytes);
}
