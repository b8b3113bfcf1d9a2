import { access } from "node:fs/promises";
import { join } from "node:path";
import { FieldReader, readJsonObject } from "./json-file.ts";

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

/** Reads generation_config.json; where it is absent, the ids of config.json. Errors: `invalid_argument` naming file and field. */
export async function loadGenerationConfig(directory: string): Promise<GenerationConfig> {
  const own = join(directory, "generation_config.json");
  const present = await access(own).then(
    () => true,
    () => false,
  );
  const path = present ? own : join(directory, "config.json");
  const outer = new FieldReader(await readJsonObject(path), path);
  const fields = present ? outer : (outer.object("text_config") ?? outer);
  const optional = (field: string) => (fields.raw(field) === undefined ? undefined : fields.number(field));
  const eos = fields.raw("eos_token_id");
  const eosTokenIds = eos === undefined ? [] : Array.isArray(eos) ? eos : [eos];
  if (!eosTokenIds.every((id) => Number.isSafeInteger(id)))
    fields.fail("eos_token_id", "must be a token id or a list of them");
  return Object.freeze({
    bosTokenId: optional("bos_token_id"),
    eosTokenIds: eosTokenIds.map(Number),
    padTokenId: optional("pad_token_id"),
    doSample: present && fields.boolean("do_sample", false),
    temperature: present ? optional("temperature") : undefined,
    topP: present ? optional("top_p") : undefined,
    topK: present ? optional("top_k") : undefined,
    maxNewTokens: present ? optional("max_new_tokens") : undefined,
  });
}
