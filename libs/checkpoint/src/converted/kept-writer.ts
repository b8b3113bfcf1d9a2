import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Checkpoint } from "../checkpoint.ts";
import { COPY_BYTES } from "../limits.ts";
import { writeExactly } from "./file-hash.ts";
import type { FileRecord } from "./file-record.ts";
import { type KeptFile, tensorBytes } from "./kept-tensors.ts";

/** Writes tensors as they are to a safetensors file, and leaves it on disk. Errors: those of the source. */
export async function writeKeptFile(
  path: string,
  kept: KeptFile,
  source: Checkpoint,
  signal: AbortSignal,
): Promise<Omit<FileRecord, "file">> {
  await using file = await open(path, "w");
  const hash = createHash("sha256");
  let at = 0;
  const append = async (bytes: Uint8Array) => {
    hash.update(bytes);
    await writeExactly(file, bytes, at);
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
