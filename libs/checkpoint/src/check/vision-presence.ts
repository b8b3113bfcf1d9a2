import { join } from "node:path";
import { hasVisionTensors } from "../config/vision-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { exists, INDEX_FILE, SINGLE_FILE } from "../files/shard-index.ts";

/**
 * Whether a folder has the weights of a vision encoder; `unknown` where it has no weights at all, as that of a process that only tokenizes.
 * Errors: as `openCheckpoint`.
 */
export async function visionWeights(directory: string): Promise<"present" | "absent" | "unknown"> {
  const hasAny = (await exists(join(directory, INDEX_FILE))) || (await exists(join(directory, SINGLE_FILE)));
  if (!hasAny) return "unknown";
  await using checkpoint = await openCheckpoint(directory);
  return hasVisionTensors(checkpoint) ? "present" : "absent";
}
