import { access } from "node:fs/promises";
import { join } from "node:path";
import { FieldReader, readJsonObject } from "../files/json-file.ts";

/** The checkpoint's own defaults for generation. */
export type GenerationConfig = Readonly<{
  bosTokenId: number | undefined;
  eosTokenIds: readonly number[];
  padTokenId: number | undefined;
  doSample: boolean;
  temperature: number | undefined;
  topP: number | undefined;
  topK: number | undefined;
  maxNewTokens: number | undefined;
}>;

/**
 * Reads generation_config.json. An id that it does not name, and every id where the file is absent, is config.json's.
 * Errors: `invalid_argument` naming file and field.
 */
export async function loadGenerationConfig(directory: string): Promise<GenerationConfig> {
  const path = join(directory, "generation_config.json");
  const own = (await exists(path)) ? await readJsonObject(path) : {};
  const generation = new FieldReader(own, path);
  const modelPath = join(directory, "config.json");
  const model = new FieldReader(await readJsonObject(modelPath), modelPath);
  const text = model.object("text_config") ?? model;
  const first = <T>(read: (part: FieldReader) => T | undefined): T | undefined =>
    read(generation) ?? read(text) ?? read(model);
  const optional = (field: string) => (generation.raw(field) === undefined ? undefined : generation.number(field));
  return Object.freeze({
    bosTokenId: first((part) => part.optionalId("bos_token_id")),
    eosTokenIds: first((part) => readIds(part, "eos_token_id")) ?? Object.freeze([]),
    padTokenId: first((part) => part.optionalId("pad_token_id")),
    doSample: generation.boolean("do_sample", false),
    temperature: optional("temperature"),
    topP: optional("top_p"),
    topK: optional("top_k"),
    maxNewTokens: generation.raw("max_new_tokens") === undefined ? undefined : generation.count("max_new_tokens"),
  });
}

/** One id or a list of them. */
function readIds(fields: FieldReader, field: string): readonly number[] | undefined {
  const value = fields.raw(field);
  if (value === undefined) return undefined;
  const ids = (Array.isArray(value) ? value : [value]).map((id: unknown) =>
    typeof id === "number" && Number.isSafeInteger(id) && id >= 0
      ? id
      : fields.fail(field, "must be a token id or a list of token ids"),
  );
  return Object.freeze(ids);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Absent files are ordinary here; one that is there and cannot be read is reported when it is read.
    return false;
  }
}
