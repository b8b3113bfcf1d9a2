import { readFileSync } from "node:fs";
import files, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join } from "node:path";

/**
 * Imported before a process's own modules (`NODE_OPTIONS=--import=…`): lets the files of a made checkpoint share what they are filled with. Safetensors files name their layer inside, so that one
 * file cannot be another by a link; here the places that `pools.json` names are holes, and reading them reads `pool.bin`, again and again. All other files are as they are.
 */

/** Where a file's numbers of a kind begin: they reach to where the next kind begins, or to the file's end. */
export type PooledFile = Readonly<{ bf16From: number; fp8From: number }>;
/** Of a folder: bytes of each kind in `pool.bin`, first those of bf16, and its files. */
export type Pools = Readonly<{ poolBytes: number; files: Readonly<Record<string, PooledFile>> }>;

type Opened = Readonly<{ pools: Pools; pool: FileHandle }>;

export const POOLS_FILE = "pools.json";
export const POOL_FILE = "pool.bin";

const open = files.open;
const folders = new Map<string, Promise<Opened> | undefined>();

function openedPool(folder: string): Promise<Opened> | undefined {
  if (!folders.has(folder)) {
    let text: string | undefined;
    try {
      text = readFileSync(join(folder, POOLS_FILE), "utf8");
    } catch {
      // Any other folder has none.
    }
    const found = text;
    folders.set(
      folder,
      found === undefined
        ? undefined
        : open(join(folder, POOL_FILE), "r").then((pool) => ({ pools: JSON.parse(found) as Pools, pool })),
    );
  }
  return folders.get(folder);
}

/** Reads what lies in a hole from its pool, and up to where that ends or begins anew. */
function pooled({ pools, pool }: Opened, file: FileHandle, { bf16From, fp8From }: PooledFile): FileHandle {
  const read = file.read.bind(file) as (...args: unknown[]) => Promise<{ bytesRead: number; buffer: Uint8Array }>;
  const { poolBytes } = pools;
  const readPooled = async (target: Uint8Array, offset: number, length: number, position: number) => {
    if (position < bf16From) return read(target, offset, Math.min(length, bf16From - position), position);
    const isFp8 = position >= fp8From;
    const at = (position - (isFp8 ? fp8From : bf16From)) % poolBytes;
    const least = Math.min(length, poolBytes - at, isFp8 ? length : fp8From - position);
    return pool.read(target, offset, least, (isFp8 ? poolBytes : 0) + at);
  };
  return Object.assign(file, { read: readPooled });
}

files.open = async (path, ...rest) => {
  const file = await open(path, ...rest);
  const opened = typeof path === "string" ? await openedPool(dirname(path)) : undefined;
  const its = opened?.pools.files[basename(String(path))];
  return opened === undefined || its === undefined ? file : pooled(opened, file, its);
};
syncBuiltinESMExports();
