import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Clock, DroverError, NO_FILE, readFault, systemClock } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";
import { BUILT_IN_TEMPLATE } from "./built-in-template.ts";
import { type ChatTemplate, JinjaChatTemplate } from "./chat-template.ts";
import { DEFAULT_TEMPLATE, type TemplateSource } from "./template-source.ts";

/** A checkpoint's template, ready to render. Errors: `invalid_argument` naming the file, or for a template that cannot be parsed. */
export async function loadChatTemplate(
  modelDirectory: string,
  tokenizer: Tokenizer,
  clock: Pick<Clock, "now"> = systemClock,
): Promise<ChatTemplate> {
  const source = await loadTemplateSource(modelDirectory);
  return new JinjaChatTemplate(source, { tokenizer, now: () => clock.now() });
}

/**
 * A checkpoint's own templates: chat_template.jinja with those of the folder additional_chat_templates, else `chat_template` in chat_template.json or
 * tokenizer_config.json (one, or a list with names), else Llama 4's built-in format. Errors: `invalid_argument` naming file and field.
 */
export async function loadTemplateSource(modelDirectory: string): Promise<TemplateSource> {
  const config = await jsonFile(modelDirectory, "tokenizer_config.json");
  const own = await readOptional(join(modelDirectory, "chat_template.jinja"));
  const inProcessor = own === undefined ? await jsonFile(modelDirectory, "chat_template.json") : {};
  const templates =
    (own === undefined ? undefined : new Map([...(await additional(modelDirectory)), [DEFAULT_TEMPLATE, own]])) ??
    templatesIn(inProcessor.chat_template, "chat_template.json") ??
    templatesIn(config.chat_template, "tokenizer_config.json") ??
    new Map([[DEFAULT_TEMPLATE, BUILT_IN_TEMPLATE]]);
  const names = ["bos_token", "eos_token", "pad_token", "unk_token"];
  const variables = Object.fromEntries(names.map((name) => [name, tokenText(config[name]) ?? fallback(name)]));
  return { templates, variables };
}

/** The templates with names of their own that transformers writes beside the default one. */
async function additional(modelDirectory: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(modelDirectory, ADDITIONAL_TEMPLATES);
  const templates = new Map<string, string>();
  for (const file of await namesIn(folder)) {
    const source = file.endsWith(".jinja") ? await readOptional(join(folder, file)) : undefined;
    if (source !== undefined) templates.set(basename(file, ".jinja"), source);
  }
  return templates;
}

const ADDITIONAL_TEMPLATES = "additional_chat_templates";

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw new DroverError("invalid_argument", `${folder} cannot be read: ${readFault(cause)}`, { cause });
  }
}

function templatesIn(value: unknown, file: string): ReadonlyMap<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return new Map([[DEFAULT_TEMPLATE, value]]);
  const fail = (field: string, what: string): never => {
    throw new DroverError("invalid_argument", `${file}: ${field} ${what}`, { field });
  };
  if (!Array.isArray(value)) return fail("chat_template", "must be a template or a list of templates with names");
  const named = value.map((entry, i): [string, string] => {
    const { name, template } = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    if (typeof name === "string" && typeof template === "string") return [name, template];
    return fail(`chat_template[${i}]`, "must have a name and a template, both strings");
  });
  return new Map(named);
}

function fallback(name: string): string {
  return name === "bos_token" ? "<|begin_of_text|>" : "";
}

/** A token is written as its text, or as an object with the text in `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "content" in value && typeof value.content === "string")
    return value.content;
  return undefined;
}

async function jsonFile(modelDirectory: string, name: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readOptional(join(modelDirectory, name));
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DroverError("invalid_argument", `${name} is not valid JSON`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DroverError("invalid_argument", `${name} must hold an object`);
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) throw new DroverError("invalid_argument", `${path} cannot be read: ${NO_FILE}`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new DroverError("invalid_argument", `${path} cannot be read: ${readFault(cause)}`, { cause });
  }
}
