import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a folder hold these files and no others. */
export function writeFolder(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}

/** Names of files that a folder lacks, has besides, or has with another text. */
export function differingFiles(folder: string, files: ReadonlyMap<string, string>): string[] {
  const present = existsSync(folder) ? readdirSync(folder) : [];
  return [...new Set([...files.keys(), ...present])].filter(
    (name) => !present.includes(name) || readFileSync(join(folder, name), "utf8") !== files.get(name),
  );
}
