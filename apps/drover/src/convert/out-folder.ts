import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { makeFolders, writeFault } from "../made-folders.ts";

/**
 * Makes the folder where it is missing, and writes and removes a file in it. Returns the folders that were made. Errors: `invalid_argument` naming `--out`, and why nothing can be
 * written there.
 */
export async function prepareOutFolder(folder: string): Promise<readonly string[]> {
  try {
    const made = await makeFolders(folder);
    const probe = join(folder, `.drover-${process.pid}`);
    await writeFile(probe, "");
    await rm(probe);
    return made;
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    throw new DroverError("invalid_argument", `--out: nothing can be written to ${folder}: ${writeFault(cause)}.`, {
      cause,
    });
  }
}
