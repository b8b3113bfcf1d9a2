import { DroverError } from "@drover/core";
import type { Segment, Tokenizer } from "@drover/tokenizer";
import { Environment, Interpreter, type Template } from "@huggingface/jinja";
import type { ChatInput } from "./chat-input.ts";
import { TEMPLATE_CHARACTERS_MAX } from "./limits.ts";
import { strftime } from "./strftime.ts";
import { declareLowered, lowerTemplate } from "./template-lowering.ts";
import { templateMessage } from "./template-message.ts";
import { DEFAULT_TEMPLATE, type TemplateSource, TOOL_TEMPLATE } from "./template-source.ts";
import { inputValue, stringValue, type TemplateValue } from "./template-values.ts";
import { markTrusted, splitTrusted, withoutMarks } from "./trusted-marks.ts";

export type RenderedChat = Readonly<{ text: string; segments: Segment[] }>;

export interface ChatTemplate {
  /** Errors: `invalid_argument` with the field at fault when the template refuses the conversation. */
  render(input: ChatInput): RenderedChat;
}

export type ChatTemplateOptions = Readonly<{
  tokenizer: Pick<Tokenizer, "specialId">;
  /** Unix milliseconds, for templates that write the date. */
  now: () => number;
}>;

/** Renders a checkpoint's Jinja templates. Only what a template itself wrote becomes special tokens. */
export class JinjaChatTemplate implements ChatTemplate {
  readonly #templates: ReadonlyMap<string, Template["parsed"]>;
  readonly #variables: TemplateSource["variables"];
  readonly #options: ChatTemplateOptions;

  /** Errors: `invalid_argument` for a template that cannot be parsed. */
  constructor({ templates, variables }: TemplateSource, options: ChatTemplateOptions) {
    this.#templates = new Map([...templates].map(([name, source]) => [name, parsed(source)]));
    this.#variables = variables;
    this.#options = options;
  }

  render(input: ChatInput): RenderedChat {
    const hasTools = input.tools !== undefined && input.tools.length > 0;
    const template =
      (hasTools ? this.#templates.get(TOOL_TEMPLATE) : undefined) ?? this.#templates.get(DEFAULT_TEMPLATE);
    if (template === undefined) throw fault("the checkpoint has no chat template for such a request");
    try {
      const environment = this.#environment(input);
      const rendered = String(new Interpreter(environment).run(template).value);
      const whole = this.#cut(splitTrusted(rendered));
      return input.continueFinalMessage === true ? withoutEnd(whole, input.messages) : whole;
    } catch (cause) {
      if (cause instanceof DroverError) throw cause;
      const reason = cause instanceof Error ? withoutMarks(cause.message) : String(cause);
      throw fault(`the chat template refused the messages: ${reason}`, cause);
    }
  }

  /** What a template can name: functions, the checkpoint's variables, the client's, and the conversation, each before the former. */
  #environment({ messages, tools, addGenerationPrompt, variables = {} }: ChatInput): Environment {
    const environment = new Environment();
    const set = (name: string, value: TemplateValue) => environment.setVariable(name, value);
    for (const [name, value] of CONSTANTS) environment.set(name, value);
    environment.set("raise_exception", (message: unknown) => {
      throw new Error(String(message));
    });
    environment.set("strftime_now", (format: unknown) => strftime(this.#options.now(), String(format)));
    for (const [name, text] of Object.entries(this.#variables)) set(name, stringValue(markTrusted(text)));
    for (const [name, value] of Object.entries(variables)) set(name, inputValue(value, "chat_template_kwargs"));
    set("messages", inputValue(messages.map(templateMessage), "messages"));
    set("tools", inputValue(tools !== undefined && tools.length > 0 ? tools : null, "tools"));
    environment.setVariable("add_generation_prompt", inputValue(addGenerationPrompt, "add_generation_prompt"));
    declareLowered(environment);
    return environment;
  }

  #cut(parts: readonly string[]): RenderedChat {
    const segments: Segment[] = [];
    let text = "";
    const flush = () => {
      if (text !== "") segments.push({ kind: "text", text });
      text = "";
    };
    for (const [i, part] of parts.entries()) {
      const id = i % 2 === 1 ? this.#options.tokenizer.specialId(part) : undefined;
      if (id === undefined) text += part;
      else {
        flush();
        segments.push({ kind: "special", id });
      }
    }
    flush();
    return { text: parts.join(""), segments };
  }
}

const CONSTANTS: readonly (readonly [string, boolean | null])[] = [
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
];

function parsed(source: string): Template["parsed"] {
  if (source.length > TEMPLATE_CHARACTERS_MAX)
    throw new DroverError(
      "invalid_argument",
      `the checkpoint's chat template has more than ${TEMPLATE_CHARACTERS_MAX} characters`,
    );
  try {
    return lowerTemplate(source);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DroverError("invalid_argument", `the checkpoint's chat template cannot be parsed: ${reason}`, { cause });
  }
}

/** A rendered conversation without what the template writes behind the last message. Errors: `invalid_argument` where that is more than marks. */
function withoutEnd({ text, segments }: RenderedChat, messages: ChatInput["messages"]): RenderedChat {
  const isMark = (segment: Segment) => segment.kind === "special" || segment.text.trim() === "";
  const kept = segments.slice(0, segments.findLastIndex((segment) => !isMark(segment)) + 1);
  const last = kept.at(-1);
  const content = textOf(messages.at(-1)?.content).trimEnd();
  if (last?.kind !== "text" || content === "" || !last.text.trimEnd().endsWith(content))
    throw fault("the chat template cannot leave the last message open");
  const end = last.text.lastIndexOf(content) + content.length;
  return { text, segments: [...kept.slice(0, -1), { kind: "text", text: last.text.slice(0, end) }] };
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: Readonly<{ text?: unknown }>) => (typeof part.text === "string" ? part.text : "")).join("");
}

function fault(message: string, cause?: unknown): DroverError {
  return new DroverError("invalid_argument", message, { field: "messages", cause });
}
