import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DroverError } from "@drover/core";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EPERM: "that is not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "a part of the path is a file",
  ENOENT: "its parent cannot have folders",
  ENAMETOOLONG: "the name is too long",
};

/**
 * Makes the folder where it is missing, and writes and removes a file in it. Errors: `invalid_argument` naming `--out`, and why nothing can be
 * written there.
 */
export async function prepareOutFolder(folder: string): Promise<void> {
  try {
    // One after the other: asked for all at once, Node tries for ever where a file system makes none, as in /proc.
    for (const missing of await missingFolders(folder)) await mkdir(missing);
    const probe = join(folder, `.drover-${process.pid}`);
    await writeFile(probe, "");
    await rm(probe);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    const reason = REASONS[String(cause.code)] ?? String(cause.code);
    throw new DroverError("invalid_argument", `--out: nothing can be written to ${folder}: ${reason}.`, { cause });
  }
}

/** The folders that are not there, the outermost first. */
async function missingFolders(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const isThere = await stat(at).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return false;
        throw error;
      },
    );
    if (isThere || at === dirname(at)) return missing.reverse();
    missing.push(at);
  }
}
