import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { BEGINNING_BYTES, recognizeBytes } from "../files/foreign-bytes.ts";

/** Files beside the weights that some process reads. A template is any text: a pointer in its place would be rendered. */
const SMALL_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "chat_template.json",
  "processor_config.json",
  "preprocessor_config.json",
] as const;

/**
 * Refuses a folder in which something else stands in the place of a small file: Git's pointer to it, or a page that a server sent in its stead.
 * Files that are not there, or cannot be read, are told of by who needs them. Errors: `invalid_argument` naming the file.
 */
export async function checkBeginnings(directory: string): Promise<void> {
  const present = new Set(await readdir(directory).catch(() => []));
  for (const name of SMALL_FILES) {
    if (!present.has(name)) continue;
    const what = recognizeBytes(await beginning(join(directory, name)));
    if (what !== undefined) throw new DroverError("invalid_argument", `${name} ${what}`);
  }
}

async function beginning(path: string): Promise<Uint8Array> {
  // Without blocking: a pipe has no beginning until somebody writes.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return new Uint8Array();
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING_BYTES), 0, BEGINNING_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    return new Uint8Array();
  } finally {
    await file.close();
  }
}
