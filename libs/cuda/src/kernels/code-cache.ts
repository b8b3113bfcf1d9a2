import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelCompiler } from "../driver/cuda-device.ts";

const HASH_BYTES = 32;

/**
 * Machine code that was compiled before, in a folder: a file is named by the hash of source, options and compiler, and begins with the hash of the rest of
 * it, so that one that was not written whole is made again. Several processes may share the folder.
 */
export class CodeCache {
  readonly #compiler: KernelCompiler;
  readonly #folder: string | undefined;

  /** Without a folder everything is compiled. */
  constructor(compiler: KernelCompiler, folder: string | undefined) {
    this.#compiler = compiler;
    this.#folder = folder;
  }

  /** Errors: the compiler's, and the file system's where the folder cannot be written. */
  code(source: string, options: readonly string[]): Uint8Array {
    if (this.#folder === undefined) return this.#compiler.compile(source, options);
    const key = createHash("sha256")
      .update(JSON.stringify([this.#compiler.version, options, source]))
      .digest("hex");
    const path = join(this.#folder, `${key}.cubin`);
    const known = readWhole(path);
    if (known !== undefined) return known;
    const made = this.#compiler.compile(source, options);
    mkdirSync(this.#folder, { recursive: true });
    const written = `${path}.${randomUUID()}`;
    writeFileSync(written, Buffer.concat([hashOf(made), made]));
    renameSync(written, path);
    return made;
  }
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function readWhole(path: string): Uint8Array | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  const code = new Uint8Array(bytes.subarray(HASH_BYTES));
  return hashOf(code).equals(bytes.subarray(0, HASH_BYTES)) ? code : undefined;
}
