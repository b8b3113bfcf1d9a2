import { copyFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { COMPANION_BYTES_MAX } from "../limits.ts";

/** Files of weights, in any format, and their indexes: these are not copied. */
const WEIGHTS = /\.(safetensors|index\.json|bin|pth?|gguf|onnx|h5|msgpack)$/;

/**
 * Copies what makes a folder a checkpoint beside its weights: config, tokenizer, template, processor, licence. Links are followed; folders, hidden files and
 * anything larger than such files are is left out.
 */
export async function copyCompanions(source: string, out: string): Promise<void> {
  for (const name of (await readdir(source)).sort()) {
    if (name.startsWith(".") || WEIGHTS.test(name)) continue;
    const facts = await stat(join(source, name));
    if (facts.isFile() && facts.size <= COMPANION_BYTES_MAX) await copyFile(join(source, name), join(out, name));
  }
}
