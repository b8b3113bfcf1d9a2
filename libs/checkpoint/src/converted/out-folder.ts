import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DroverError } from "@drover/core";
import { type ConversionId, MANIFEST, type Manifest, readManifest, WORK_FOLDER } from "./manifest.ts";
import { describeSetting } from "./setting.ts";

/**
 * Looks whether `out` can take a conversion, empty or with what an earlier run has left; makes the folder where it is missing. Returns the manifest where
 * that run was the last one needed.
 * Errors: `invalid_argument` where the folder has something else in it, or another conversion.
 */
export async function openOutFolder(out: string, id: ConversionId): Promise<Manifest | null> {
  await mkdir(out, { recursive: true });
  const names = await readdir(out);
  if (names.includes(MANIFEST)) {
    const manifest = await readManifest(out);
    if (manifest !== null) refuseOther(manifest, id, out);
    return manifest;
  }
  if (names.length > 0 && !names.includes(WORK_FOLDER)) {
    throw new DroverError("invalid_argument", `--out: ${out} is not empty and holds no conversion`, { field: "out" });
  }
  return null;
}

/** Errors: `invalid_argument` saying in what the found conversion differs. */
export function refuseOther(found: ConversionId, wanted: ConversionId, out: string): void {
  const settings = [describeSetting(found.setting), describeSetting(wanted.setting)];
  const difference =
    found.source !== wanted.source
      ? "of another checkpoint"
      : settings[0] !== settings[1]
        ? `to ${settings[0]}, and not to ${settings[1]}`
        : found.packing !== wanted.packing
          ? "packed by another kind of CPU"
          : undefined;
  if (difference === undefined) return;
  throw new DroverError(
    "invalid_argument",
    `--out: ${out} holds a conversion ${difference}; choose another folder or remove it`,
    { field: "out" },
  );
}

/** Errors: `invalid_argument` where the disk has less room than that. */
export async function requireSpace(out: string, byteCount: number): Promise<void> {
  const { bavail, bsize } = await statfs(out);
  const free = bavail * bsize;
  if (free >= byteCount) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  throw new DroverError(
    "invalid_argument",
    `--out: ${out} needs ${gib(byteCount)} and its disk has ${gib(free)} free`,
    {
      field: "out",
    },
  );
}

/** Gives a finished file its name, over any crash: it has either the whole file or none. */
export async function publish(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Writes a small file so that it is there whole or not at all. */
export async function writeWhole(path: string, text: string, workFolder: string): Promise<void> {
  const temporary = join(workFolder, "whole");
  {
    await using file = await open(temporary, "w");
    await file.writeFile(text);
    await file.sync();
  }
  await publish(temporary, path);
}

/** Whether a file is there with that size. */
export async function hasSize(path: string, byteCount: number): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile() && facts.size === byteCount,
    () => false,
  );
}

/** Takes away what a conversion needed while it ran. */
export async function removeWorkFolder(out: string): Promise<void> {
  await rm(join(out, WORK_FOLDER), { recursive: true, force: true });
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
