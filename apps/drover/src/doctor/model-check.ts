import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeSetting, readManifest, verifyConverted } from "@drover/checkpoint";
import { toDroverError } from "@drover/core";
import { checkModelFiles } from "../model-files.ts";
import { type Finding, Findings } from "./finding.ts";

const PICTURES = "Copy the file from where the checkpoint came from, where pictures are wanted.";

export type ModelCheck = Readonly<{ findings: readonly Finding[]; weightBytes: number | undefined }>;

/** Reads a model's folder: every file that any process will need; with `deep` also every byte of a converted one, against the hashes of its manifest. */
export async function checkModelFolder(directory: string, deep: boolean, signal: AbortSignal): Promise<ModelCheck> {
  const findings = new Findings("model");
  const advice = `Copy, download or convert again what is missing or damaged in ${directory}; docs/checkpoints.md lists what can be served.`;
  try {
    const { noImagesBecause } = await checkModelFiles(directory);
    findings.ok("files", `configs, headers, shapes and types, tokenizer and templates of ${directory}`);
    if (noImagesBecause !== undefined)
      findings.warn("images", `the model serves text alone: ${noImagesBecause}`, PICTURES);
  } catch (error) {
    findings.fail("files", toDroverError(error).message, advice);
    return { findings: findings.all, weightBytes: undefined };
  }
  const manifest = await readManifest(directory);
  if (manifest !== null) findings.ok("conversion", describeSetting(manifest.setting));
  if (deep && manifest === null)
    findings.warn(
      "hashes",
      "the checkpoint was not converted: nothing says what its bytes should be",
      "Compare with its source, or convert it.",
    );
  if (deep && manifest !== null) {
    try {
      await verifyConverted(directory, signal);
      findings.ok("hashes", `${manifest.files.length} files are what their manifest says`);
    } catch (error) {
      findings.fail("hashes", toDroverError(error).message, advice);
    }
  }
  return { findings: findings.all, weightBytes: await weightBytes(directory) };
}

/** Of all files with weights. */
async function weightBytes(directory: string): Promise<number> {
  const manifest = await readManifest(directory);
  if (manifest !== null) return manifest.files.reduce((sum, { byteCount }) => sum + byteCount, 0);
  const names = (await readdir(directory)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
