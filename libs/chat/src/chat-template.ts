import { DroverError } from "@drover/core";
import type { Segment, Tokenizer } from "@drover/tokenizer";
import { Template } from "@huggingface/jinja";

/** A message in OpenAI's shape, as it came. */
export type ChatMessage = Readonly<Record<string, unknown>> & Readonly<{ role: string }>;

export type ChatInput = Readonly<{
  messages: readonly ChatMessage[];
  tools?: readonly unknown[];
  addGenerationPrompt: boolean;
  /** The checkpoint's own template variables. */
  variables?: Readonly<Record<string, unknown>>;
}>;

export type RenderedChat = Readonly<{ text: string; segments: Segment[] }>;

export interface ChatTemplate {
  /** Errors: `invalid_argument` with field `messages` when the template refuses the conversation. */
  render(input: ChatInput): RenderedChat;
}

/** Renders a checkpoint's Jinja template. Only what the template itself wrote becomes special tokens. */
export class JinjaChatTemplate implements ChatTemplate {
  readonly #template: Template;
  readonly #tokenizer: Tokenizer;
  readonly #variables: Readonly<Record<string, unknown>>;

  constructor(source: string, tokenizer: Tokenizer, variables: Readonly<Record<string, unknown>>) {
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new DroverError("invalid_argument", "the checkpoint's chat template cannot be parsed", { cause });
    }
    this.#tokenizer = tokenizer;
    this.#variables = variables;
  }

  render(input: ChatInput): RenderedChat {
    const given = { messages: input.messages.map(templateMessage), tools: input.tools?.length ? input.tools : null };
    let mark: string;
    let rendered: string;
    try {
      mark = unusedCharacter(JSON.stringify([given, input.variables]));
      rendered = this.#template.render({
        ...this.#variables,
        ...(guarded(input.variables ?? {}, mark) as object),
        ...(guarded(given, mark) as object),
        add_generation_prompt: input.addGenerationPrompt,
      });
    } catch (cause) {
      if (cause instanceof DroverError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DroverError("invalid_argument", `the chat template refused the messages: ${reason}`, {
        field: "messages",
        cause,
      });
    }
    return { text: rendered.replaceAll(mark, ""), segments: this.#segments(rendered, mark) };
  }

  #segments(rendered: string, mark: string): Segment[] {
    const segments: Segment[] = [];
    let text = "";
    const flush = () => {
      if (text !== "") segments.push({ kind: "text", text: text.replaceAll(mark, "") });
      text = "";
    };
    for (const part of rendered.split(/(<\|[^|<>]*\|>)/)) {
      const id = part.startsWith("<|") ? this.#tokenizer.specialId(part) : undefined;
      if (id === undefined) {
        text += part;
        continue;
      }
      flush();
      segments.push({ kind: "special", id });
    }
    flush();
    return segments;
  }
}

/** What the templates expect: "" for null content, arguments as objects, images as `{"type": "image"}`. */
function templateMessage(message: ChatMessage): Record<string, unknown> {
  const { content, tool_calls: calls, ...rest } = message;
  const parts = Array.isArray(content)
    ? content.map((part) => (part?.type === "image_url" ? { type: "image" } : part))
    : content;
  return { ...rest, content: parts ?? "", ...(Array.isArray(calls) ? { tool_calls: calls.map(templateCall) } : {}) };
}

function templateCall(call: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { function: called, ...rest } = call;
  if (typeof called !== "object" || called === null) return { ...rest };
  const { arguments: given, ...named } = called as Record<string, unknown>;
  let parsed = given;
  if (given === "") parsed = {};
  else if (typeof given === "string") {
    try {
      parsed = JSON.parse(given);
    } catch (cause) {
      throw new DroverError("invalid_argument", "a tool call's arguments are not valid JSON", {
        field: "messages",
        cause,
      });
    }
  }
  return { ...rest, function: { ...named, arguments: parsed } };
}

/** A private-use character that is nowhere in the input. */
function unusedCharacter(input: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!input.includes(character)) return character;
  }
  throw new DroverError("invalid_argument", "the messages use every private-use character", { field: "messages" });
}

/** Marks every `<|` and `|>` of the input, so that no look-alike survives as a special token. */
function guarded(value: unknown, mark: string): unknown {
  if (typeof value === "string") return value.replaceAll("<|", `<${mark}|`).replaceAll("|>", `|${mark}>`);
  if (Array.isArray(value)) return value.map((item) => guarded(item, mark));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [String(guarded(key, mark)), guarded(item, mark)]),
  );
}
