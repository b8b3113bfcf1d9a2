import { join } from "node:path";
import { loadGenerationConfig } from "../config/generation-config.ts";
import { loadModelConfig } from "../config/model-config.ts";
import { hasVisionTensors, loadVisionConfig } from "../config/vision-config.ts";
import { readManifest } from "../converted/manifest.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { exists, INDEX_FILE, SINGLE_FILE } from "../files/shard-index.ts";
import type { StoredMatrix } from "../stored/stored-matrix.ts";
import { checkBeginnings } from "./check-beginnings.ts";
import { checkScales } from "./check-scales.ts";
import { checkTextTensors } from "./text-tensor-check.ts";
import { checkVisionTensors } from "./vision-tensor-check.ts";

/**
 * Checks a model's folder, the same for every process: its configs, every header, and shape and type of every tensor that is needed. Reads norms and scales, and no weights.
 * With `weightsMayBeAbsent` a folder without any is right, as one of a process that only tokenizes.
 * Errors: `invalid_argument` naming file, field and tensor.
 */
export async function checkModel(
  directory: string,
  { weightsMayBeAbsent = false }: Readonly<{ weightsMayBeAbsent?: boolean }> = {},
): Promise<void> {
  await checkBeginnings(directory);
  const config = await loadModelConfig(directory);
  await loadGenerationConfig(directory);
  const vision = await loadVisionConfig(directory);
  const hasWeights = (await exists(join(directory, INDEX_FILE))) || (await exists(join(directory, SINGLE_FILE)));
  if (weightsMayBeAbsent && !hasWeights) return;
  await using checkpoint = await openCheckpoint(directory);
  const stored: StoredMatrix[] = [];
  checkTextTensors(checkpoint, config, (await readManifest(directory))?.setting ?? null, (one) => stored.push(one));
  if (vision !== undefined && hasVisionTensors(checkpoint)) checkVisionTensors(checkpoint, vision);
  await checkScales(checkpoint, stored);
}
