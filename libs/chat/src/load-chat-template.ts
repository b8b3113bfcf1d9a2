import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";
import { type ChatTemplate, JinjaChatTemplate } from "./chat-template.ts";

/** Llama 4's conversation format, for checkpoints without a template of their own. Source: llama-models, chat_format.py. */
const BUILT_IN = `{{- bos_token -}}
{%- for message in messages -%}
{{- "<|header_start|>" ~ ("ipython" if message.role == "tool" else message.role) ~ "<|header_end|>\\n\\n" -}}
{%- if message.content is string -%}{{- message.content -}}
{%- else -%}{%- for part in message.content -%}{{- part.text if part.type == "text" else "<|image|>" -}}{%- endfor -%}{%- endif -%}
{{- "<|eot|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|header_start|>assistant<|header_end|>\\n\\n" -}}{%- endif -%}`;

/** The checkpoint's own template: chat_template.jinja, else `chat_template` in tokenizer_config.json, else Llama 4's built-in format. */
export async function loadChatTemplate(modelDirectory: string, tokenizer: Tokenizer): Promise<ChatTemplate> {
  const config = await tokenizerConfig(modelDirectory);
  const own = await readOptional(join(modelDirectory, "chat_template.jinja"));
  const inConfig = config.chat_template;
  const source = own ?? (typeof inConfig === "string" ? inConfig : BUILT_IN);
  const variables = Object.fromEntries(
    ["bos_token", "eos_token", "pad_token", "unk_token"].map((name) => [
      name,
      tokenText(config[name]) ?? fallback(name),
    ]),
  );
  return new JinjaChatTemplate(source, tokenizer, variables);
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

async function tokenizerConfig(modelDirectory: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readOptional(join(modelDirectory, "tokenizer_config.json"));
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new DroverError("invalid_argument", "tokenizer_config.json is not valid JSON", { cause });
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new DroverError("invalid_argument", `${path} cannot be read`, { cause });
  }
}
