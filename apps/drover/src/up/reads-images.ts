import { hasVisionTensors, loadVisionConfig, openCheckpoint } from "@drover/checkpoint";

/** Whether a checkpoint has a vision encoder, with its weights. Errors: `invalid_argument` naming the file at fault. */
export async function readsImages(modelFolder: string): Promise<boolean> {
  if ((await loadVisionConfig(modelFolder)) === undefined) return false;
  await using checkpoint = await openCheckpoint(modelFolder);
  return hasVisionTensors(checkpoint);
}
