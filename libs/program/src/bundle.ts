import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Where bundles are kept, from the repository's root: one folder for each, and the mark. */
export const BUNDLE_FOLDER = ".cache/bundle";

/** The file in it that names the folder of the last bundle. Its time of change is when the reading of its sources began. */
export const BUNDLE_MARK = "last";

/** Files and folders, from the repository's root, whose content is what a bundle is made of. */
const SOURCES = ["apps", "libs", "pnpm-lock.yaml"] as const;

/**
 * The folder of the last bundle of the repository at `root`, or undefined where there is none or a source has changed since: then the sources
 * are what is to run. Reads the times of all sources, some thousand files, in about ten milliseconds.
 */
export function freshBundle(root: string): string | undefined {
  const mark = join(root, BUNDLE_FOLDER, BUNDLE_MARK);
  if (!existsSync(mark)) return undefined;
  const { mtimeMs } = statSync(mark);
  if (SOURCES.some((source) => isNewer(join(root, source), mtimeMs))) return undefined;
  const folder = join(root, BUNDLE_FOLDER, readFileSync(mark, "utf8").trim());
  return existsSync(folder) ? folder : undefined;
}

/** Whether a file, or anything in a folder, has changed since. A folder changes when one of its files is added or removed. */
function isNewer(path: string, sinceMs: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (stat.mtimeMs > sinceMs) return true;
  if (!stat.isDirectory()) return false;
  return readdirSync(path).some((name) => name !== "node_modules" && isNewer(join(path, name), sinceMs));
}

/** The file of a bundle in `folder` for a program's path from the repository's root. */
export function bundledFile(folder: string, program: string): string {
  return join(folder, program.replace(/\.ts$/, ".mjs"));
}
