import { availableParallelism } from "node:os";
import {
  ConvertedTextRows,
  ConvertedWeights,
  HashThreads,
  readManifest,
  StoredTextRows,
  TextWeights,
} from "@drover/checkpoint";
import type { TextSource } from "@drover/cuda";
import { HASH_THREADS_MAX } from "../limits.ts";
import type { RoleContext } from "../role-context.ts";

/**
 * The checkpoint's weights as a card reads them: of a converted one its integers, which opening it has compared with what was asked for; else quantized on the way, if that was asked for.
 * Errors: the checkpoint's.
 */
export async function cardSource({ options, model }: Pick<RoleContext, "options" | "model">): Promise<TextSource> {
  const { config, checkpoint } = model;
  const kept = new TextWeights(checkpoint, config);
  const manifest = await readManifest(checkpoint.directory);
  if (manifest === null) return { rows: new StoredTextRows(kept), quantization: options.quantization };
  // A card packs by itself: what was packed for a CPU is not read.
  const threads = Math.max(1, Math.min(HASH_THREADS_MAX, availableParallelism() - 1));
  const { hash } = options.resources.use(new HashThreads(threads));
  const converted = new ConvertedWeights(checkpoint, config, manifest, "", options.ending.asked, hash);
  return { rows: new ConvertedTextRows(converted, kept, config), quantization: null };
}
