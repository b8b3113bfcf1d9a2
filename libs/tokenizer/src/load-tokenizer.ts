import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DroverError, NO_FILE, readFault } from "@drover/core";
import { TOKENIZER_FILE_BYTES_MAX } from "./limits.ts";
import { parseTiktokenModel } from "./tiktoken-model.ts";
import type { SharableTokenizer } from "./tokenizer.ts";
import { parseTokenizerJson } from "./tokenizer-json.ts";

/** Reads a checkpoint's tokenizer: tokenizer.json, else tiktoken's tokenizer.model. Errors: `invalid_argument` naming file and field. */
export async function loadTokenizer(modelDirectory: string): Promise<SharableTokenizer> {
  const json = await read(join(modelDirectory, "tokenizer.json"));
  if (json !== undefined) return parseTokenizerJson(json);
  const model = await read(join(modelDirectory, "tokenizer.model"));
  if (model !== undefined) return parseTiktokenModel(model);
  throw new DroverError("invalid_argument", `${modelDirectory} has neither tokenizer.json nor tokenizer.model`);
}

async function read(path: string): Promise<string | undefined> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw new DroverError("invalid_argument", `${path} cannot be read: ${NO_FILE}`);
    if (facts.size > TOKENIZER_FILE_BYTES_MAX)
      throw new DroverError("invalid_argument", `${path} has more than ${TOKENIZER_FILE_BYTES_MAX} bytes`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new DroverError("invalid_argument", `${path} cannot be read: ${readFault(cause)}`, { cause });
  }
}
