import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { makeFolders, writeFault } from "../made-folders.ts";

/**
 * Makes the folder where it is missing, and writes and removes a file in it. Errors: `invalid_argument` naming `--out`, and why nothing can be
 * written there.
 */
export async function prepareOutFolder(folder: string): Promise<void> {
  try {
    await makeFolders(folder);
    const probe = join(folder, `.drover-${process.pid}`);
    await writeFile(probe, "");
    await rm(probe);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    throw new DroverError("invalid_argument", `--out: nothing can be written to ${folder}: ${writeFault(cause)}.`, {
      cause,
    });
  }
}
