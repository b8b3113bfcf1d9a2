import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import type { Tokenizer } from "./tokenizer.ts";
import { parseTokenizerJson } from "./tokenizer-json.ts";

/** Reads a checkpoint's tokenizer. Errors: `invalid_argument` naming file and field. */
export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const path = join(modelDirectory, "tokenizer.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new DroverError("invalid_argument", `${path} cannot be read`, { cause });
  }
  return parseTokenizerJson(text);
}
