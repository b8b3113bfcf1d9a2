import { readFile, stat } from "node:fs/promises";
import { DroverError, readFault } from "@drover/core";
import { READS_TOGETHER_MAX, WATCHED_FILE_BYTES_MAX } from "../limits.ts";

/**
 * The texts of files that belong together, in their order, as they were at one time: files that change while they are read, as where a Secret's folder is turned to its
 * next version, are read again, `READS_TOGETHER_MAX` times at most. Errors: `invalid_argument` naming the setting and the first file that cannot be read or is too large.
 */
export async function readTogether(paths: readonly string[], setting: string): Promise<readonly string[]> {
  let before = await signOf(paths);
  for (let left = READS_TOGETHER_MAX; ; left--) {
    const texts = await readAll(paths, setting);
    const after = await signOf(paths);
    if (after === before || left <= 1) return textsOf(texts);
    before = after;
  }
}

/** A file's text. Errors: `invalid_argument` naming the setting where it cannot be read or is too large to be one of settings. */
export async function readSmallFile(path: string, setting: string): Promise<string> {
  const unreadable = (reason: string, cause?: unknown) =>
    new DroverError("invalid_argument", `--${setting}: ${path} ${reason}`, { cause });
  try {
    if ((await stat(path)).size > WATCHED_FILE_BYTES_MAX) throw unreadable("is too large");
    return await readFile(path, "utf8");
  } catch (error) {
    throw error instanceof DroverError ? error : unreadable(`cannot be read: ${readFault(error)}`, error);
  }
}

const readAll = (paths: readonly string[], setting: string) =>
  Promise.allSettled(paths.map((path) => readSmallFile(path, setting)));

/** Throws why the first file that could not be read could not. */
function textsOf(read: readonly PromiseSettledResult<string>[]): readonly string[] {
  return read.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

/** What changes with each writing of one of the files, and where a link to one is turned. */
async function signOf(paths: readonly string[]): Promise<string> {
  const signs = paths.map((path) =>
    stat(path, { bigint: true }).then(
      ({ dev, ino, mtimeNs, size }) => `${dev} ${ino} ${mtimeNs} ${size}`,
      () => "absent",
    ),
  );
  return (await Promise.all(signs)).join("\n");
}
