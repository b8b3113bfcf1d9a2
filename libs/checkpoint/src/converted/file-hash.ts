import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { DroverError } from "@drover/core";
import { openFile } from "../files/safetensors.ts";
import { COPY_BYTES } from "../limits.ts";
import type { FileRecord } from "./file-record.ts";

/** SHA-256 of bytes [start, end) of an open file. Errors: `invalid_argument` naming the file where it ends before. */
export async function hashRange(
  file: FileHandle,
  name: string,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  await eachPiece(file, name, start, end, signal, (piece) => void hash.update(piece));
  return hash.digest("hex");
}

/** Copies bytes [start, end) of a file to `at` of another; feeds them to the hash, if there is one. Errors: as {@link hashRange}. */
export async function copyRange(
  from: Readonly<{ file: FileHandle; name: string; start: number; end: number }>,
  to: FileHandle,
  at: number,
  hash: Hash | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { file, name, start, end } = from;
  await eachPiece(file, name, start, end, signal, async (piece, offset) => {
    hash?.update(piece);
    await writeExactly(to, piece, at + offset);
  });
}

/** Writes all of it, however little the system takes at once. */
export async function writeExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function eachPiece(
  file: FileHandle,
  name: string,
  start: number,
  end: number,
  signal: AbortSignal,
  use: (piece: Uint8Array, offset: number) => void | Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, end - start));
  for (let done = 0; done < end - start; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - start - done), start + done);
    if (bytesRead === 0)
      throw new DroverError("invalid_argument", `${name}: ends at byte ${start + done}: it is truncated`);
    await use(buffer.subarray(0, bytesRead), done);
    done += bytesRead;
  }
}

/** Hashes bytes [start, end) of the file at a path. Errors: as of {@link hashRange}; the signal's reason. */
export type RangeHasher = (path: string, start: number, end: number, signal: AbortSignal) => Promise<string>;

/** On this thread. */
export const hashHere: RangeHasher = async (path, start, end, signal) => {
  await using file = await openFile(path);
  return await hashRange(file, basename(path), start, end, signal);
};

/**
 * Checks that a file of a converted folder is what its manifest says; the packed half only where it will be used.
 * Errors: `invalid_argument` naming the file.
 */
export async function verifyFile(
  path: string,
  record: FileRecord,
  preparedStart: number,
  withPrepared: boolean,
  signal: AbortSignal,
  hash: RangeHasher = hashHere,
): Promise<void> {
  const size = await fileSize(path);
  if (size !== record.byteCount) {
    fail(record, `has ${size} bytes where its manifest says ${record.byteCount}`);
  }
  if ((await hash(path, 0, preparedStart, signal)) !== record.sha256) {
    fail(record, "does not have the hash that its manifest says: its weights were changed");
  }
  if (record.prepared === null || !withPrepared) return;
  if ((await hash(path, preparedStart, size, signal)) !== record.prepared.sha256) {
    fail(record, "does not have the hash that its manifest says: its packed weights were changed");
  }
}

async function fileSize(path: string): Promise<number> {
  await using file = await openFile(path);
  return (await file.stat()).size;
}

function fail({ file }: FileRecord, what: string): never {
  throw new DroverError("invalid_argument", `${file}: ${what}; convert the checkpoint again`);
}
