import { mkdir, open, rm, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EPERM: "that is not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "this user's quota is used up",
  EFBIG: "a file may not grow so large (ulimit -f)",
  EIO: "its disk reports an error",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "a part of the path is a file",
  ENOENT: "its folder is not there, or cannot have any",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "the name is too long",
};

/** Why a folder or a file could not be written, as the end of a sentence. */
export function writeFault(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return REASONS[code] ?? code;
}

/** Whether an error is the file system's own. */
export function isFileFault(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}

/**
 * Makes a folder and what is missing above it, one after the other: asked for all at once, Node tries for ever where a file system makes none, as in
 * /proc. Returns those that it has made, the outermost first. Errors: those of the file system.
 */
export async function makeFolders(folder: string, mode = 0o777): Promise<readonly string[]> {
  const missing = await missingFolders(folder);
  for (const one of missing) await mkdir(one, { mode });
  return missing;
}

/** Takes back folders that `makeFolders` has made, as far as nothing was put in them. */
export async function removeEmptyFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await rmdir(folder).catch(() => undefined);
}

/**
 * Writes files that are not there yet, all of them whole or none: what a full disk has left of them is taken back, since the next one to look would take
 * it for what was meant. Errors: those of the file system, `EEXIST` for one that is there.
 */
export async function writeNewFiles(
  files: readonly Readonly<{ path: string; text: string; mode?: number }>[],
): Promise<void> {
  const made: string[] = [];
  try {
    for (const { path, text, mode = 0o666 } of files) {
      await using handle = await open(path, "wx", mode);
      made.push(path);
      await handle.writeFile(text);
    }
  } catch (error) {
    for (const path of made) await rm(path, { force: true });
    throw error;
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
