import { join } from "node:path";
import { DroverError } from "@drover/core";
import { loadModelConfig } from "../config/model-config.ts";
import { verifyFile } from "./file-hash.ts";
import { MANIFEST, readManifest } from "./manifest.ts";
import { layoutOf, modelUnits, unitFile } from "./units.ts";

/**
 * Hashes every file of a converted folder, both halves of it, as no process does that reads only its own. Errors: `invalid_argument` naming the
 * first file that is not what the manifest says, or a folder that was not converted; the signal's reason.
 */
export async function verifyConverted(directory: string, signal: AbortSignal): Promise<void> {
  const manifest = await readManifest(directory);
  if (manifest === null)
    throw new DroverError("invalid_argument", `${directory} has no ${MANIFEST}: it was not converted`);
  const config = await loadModelConfig(directory);
  const { setting, files } = manifest;
  const starts = new Map(
    modelUnits(config, setting).map((unit) => [unitFile(unit), layoutOf(unit, config, setting).preparedStart]),
  );
  for (const record of files)
    await verifyFile(join(directory, record.file), record, starts.get(record.file) ?? record.byteCount, true, signal);
}
