import { constants } from "node:fs";
import { access, copyFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DroverError, readFault } from "@drover/core";
import { COMPANION_BYTES_MAX } from "../limits.ts";

/** Files of weights, in any format, and their indexes: these are not copied. */
const WEIGHTS = /\.(safetensors|index\.json|bin|pth?|gguf|onnx|h5|msgpack)$/;

/**
 * Copies what makes a folder a checkpoint beside its weights: config, tokenizer, template, processor, licence. Links are followed; folders, hidden files and
 * anything larger than such files are is left out.
 */
export async function copyCompanions(source: string, out: string): Promise<void> {
  for (const name of await companions(source)) await copyFile(join(source, name), join(out, name));
}

/** Looks whether each of them may be read: they are copied last, after hours of work. Errors: `invalid_argument` naming the file. */
export async function checkCompanions(source: string): Promise<void> {
  for (const name of await companions(source)) {
    const path = join(source, name);
    await access(path, constants.R_OK).catch((cause: unknown) => {
      throw new DroverError("invalid_argument", `${path} cannot be read: ${readFault(cause)}`, { cause });
    });
  }
}

async function companions(source: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of (await readdir(source)).sort()) {
    if (name.startsWith(".") || WEIGHTS.test(name)) continue;
    // A link to nothing is no file either.
    const facts = await stat(join(source, name)).catch(() => undefined);
    if (facts?.isFile() && facts.size <= COMPANION_BYTES_MAX) names.push(name);
  }
  return names;
}
