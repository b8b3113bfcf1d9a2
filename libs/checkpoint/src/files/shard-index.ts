import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { DroverError } from "@drover/core";
import { FILE_NAME_CHARACTERS_MAX } from "../limits.ts";
import { isObject, readJsonObject } from "./json-file.ts";
import { quoted } from "./quoted.ts";

/** The file that says which tensor is in which file. */
export const INDEX_FILE = "model.safetensors.index.json";

/** The only file of a checkpoint without an index. */
export const SINGLE_FILE = "model.safetensors";

/** Tensor to file, by the index. */
export type ShardIndex = ReadonlyMap<string, string>;

/**
 * Undefined where the checkpoint is one file, as it also is where an index stayed behind whose shards were merged into that file.
 * Errors: `invalid_argument` naming the index and the tensor.
 */
export async function readShardIndex(directory: string): Promise<ShardIndex | undefined> {
  const path = join(directory, INDEX_FILE);
  if (!(await exists(path))) return undefined;
  const map = (await readJsonObject(path)).weight_map;
  if (!isObject(map)) throw new DroverError("invalid_argument", `${INDEX_FILE}: weight_map is missing`);
  const index = new Map(
    Object.entries(map).map(([tensor, file]) => {
      if (typeof file !== "string" || !isFileName(file)) {
        throw new DroverError(
          "invalid_argument",
          `${INDEX_FILE}: the file of tensor ${quoted(tensor)} must be a name in the same folder`,
        );
      }
      return [tensor, file];
    }),
  );
  return (await isLeftBehind(directory, index)) ? undefined : index;
}

async function isLeftBehind(directory: string, index: ShardIndex): Promise<boolean> {
  if (!(await exists(join(directory, SINGLE_FILE)))) return false;
  for (const file of new Set(index.values())) if (await exists(join(directory, file))) return false;
  return true;
}

/** A printable name that stays in its folder on every system; what a link there points to is the operator's choice. */
function isFileName(name: string): boolean {
  if (name.length > FILE_NAME_CHARACTERS_MAX || /[\p{C}\\]/u.test(name)) return false;
  return name === basename(name) && !["", ".", ".."].includes(name);
}

/** Whether a path is there, be it readable or not: what cannot be read is reported when it is read. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
