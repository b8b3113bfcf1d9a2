import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { isObject, readJsonObject } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";
import { type FileRecord, readFileRecord } from "./file-record.ts";
import { type ConversionSetting, readSetting } from "./setting.ts";

/** The file that makes a folder a converted checkpoint; written last. */
export const MANIFEST = "drover-converted.json";

/** Where an unfinished conversion keeps its journal and what it is writing. */
export const WORK_FOLDER = ".converting";

/** Raised when older versions cannot read what is written. */
export const FORMAT_VERSION = 1;

/** What identifies a conversion: a folder holds the work of one. */
export type ConversionId = Readonly<{
  /** A digest of the source's config, tensors and a sample of their bytes. */
  source: string;
  setting: ConversionSetting;
  /** What {@link Packer.kind} was: who has another packs by itself. */
  packing: string;
}>;

export type Manifest = ConversionId & Readonly<{ files: readonly FileRecord[] }>;

/** The manifest's text: one file a line, so that it can be read and compared. */
export function manifestText({ source, setting, packing, files }: Manifest): string {
  const id = JSON.stringify({ version: FORMAT_VERSION, source, setting, packing });
  return `${id.slice(0, -1)}, "files": [\n${files.map((record) => JSON.stringify(record)).join(",\n")}\n]}\n`;
}

/** Reads a converted folder's manifest; null where the folder is none. Errors: `invalid_argument` naming the file, also for an unfinished conversion. */
export async function readManifest(directory: string): Promise<Manifest | null> {
  const path = join(directory, MANIFEST);
  if (!(await exists(path))) {
    if (!(await exists(join(directory, WORK_FOLDER)))) return null;
    throw new DroverError("invalid_argument", `${directory} holds an unfinished conversion; run drover convert again`);
  }
  const fields = await readJsonObject(path);
  const { files } = fields;
  if (!Array.isArray(files)) throw new DroverError("invalid_argument", `${path}: files is missing`);
  return { ...readConversionId(fields, path), files: files.map((record) => readFileRecord(record, path)) };
}

/** Reads what identifies a conversion, from a manifest or a journal. Errors: `invalid_argument` naming the file. */
export function readConversionId(fields: unknown, path: string): ConversionId {
  const { version, source, setting, packing } = isObject(fields) ? fields : {};
  if (version !== FORMAT_VERSION) {
    throw new DroverError(
      "invalid_argument",
      `${path} has format version ${quoted(version)}; this version of Drover reads ${FORMAT_VERSION}`,
    );
  }
  if (typeof source !== "string" || typeof packing !== "string") {
    throw new DroverError("invalid_argument", `${path}: source or packing is missing`);
  }
  return { source, setting: readSetting(setting, path), packing };
}

/** Equal for folders whose weights are equal, however they are packed. */
export function manifestFingerprint({ setting, files }: Manifest): string {
  const hash = createHash("sha256").update(JSON.stringify(setting));
  for (const { file, sha256 } of files) hash.update(`${file} ${sha256}\n`);
  return hash.digest("hex").slice(0, 32);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
