import { join } from "node:path";
import { DroverError } from "@drover/core";
import { verifyFile } from "./file-hash.ts";
import { MANIFEST, readManifest } from "./manifest.ts";

const VISION = "vision.safetensors";

/**
 * Hashes a converted folder's vision weights, which are read like any checkpoint's; nothing for a folder that was not converted.
 * Errors: `invalid_argument` naming the file.
 */
export async function verifyVision(directory: string, signal: AbortSignal): Promise<void> {
  const manifest = await readManifest(directory);
  if (manifest === null) return;
  const record = manifest.files.find(({ file }) => file === VISION);
  if (record === undefined) throw new DroverError("invalid_argument", `${MANIFEST} does not name ${VISION}`);
  await verifyFile(join(directory, VISION), record, record.byteCount, false, signal);
}
