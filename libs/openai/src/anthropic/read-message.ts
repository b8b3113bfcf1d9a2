import type { ChatMessage } from "@drover/chat";
import { answerConstraint } from "../read/answer-constraint.ts";
import { schemaConstraint } from "../read/constraint.ts";
import { addImage, checkReadsImages } from "../read/images.ts";
import { readSampling } from "../read/sampling.ts";
import { checkModel } from "../read/served-model.ts";
import { checkToolChoice, readTemplateTools, readToolCallRules, TOOL_NAMES, type ToolBody } from "../read/tools.ts";
import { unsupportedIn } from "../read/unsupported.ts";
import type { ChatPrompt, Constraint, GenerationQuery, ImageReference } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError, parserOf } from "../schema/check.ts";
import {
  type AnthropicBlock,
  AnthropicBody,
  AnthropicCountBody,
  type AnthropicMessage,
  type AnthropicSaid,
} from "./message-body.ts";

const parseBody = parserOf(AnthropicBody);
const refuseUnsupported = unsupportedIn(AnthropicBody);
const parseCount = parserOf(AnthropicCountBody);

/** Reads the body of `POST /v1/messages`. Errors: `invalid_argument` or `model_not_found`, naming the field. */
export function readAnthropic(value: unknown, facts: ModelFacts): GenerationQuery {
  checkModel(value, facts);
  const body = parseBody(value);
  refuseUnsupported(body);
  const tools = toolBodyOf(body);
  checkToolChoice(tools);
  const parallel = body.tool_choice?.disable_parallel_tool_use !== true;
  return {
    prompt: promptOf(body, facts),
    sampling: readSampling(
      { temperature: body.temperature ?? null, top_p: body.top_p ?? null, top_k: body.top_k ?? null },
      facts,
      { topLogprobs: -1, promptTopLogprobs: -1 },
    ),
    budget: { asked: body.max_tokens, field: "max_tokens", unasked: Number.POSITIVE_INFINITY },
    stop: body.stop_sequences ?? [],
    toolCalls: readToolCallRules(tools, parallel),
    constraint: answerConstraint(formatOf(body), tools, parallel, facts),
    echo: false,
    reply: { stream: body.stream ?? false, includeUsage: true, returnTokenIds: false },
  };
}

/** The prompt whose tokens are to be counted. Errors: those of `readAnthropic`. */
export function readAnthropicCount(value: unknown, facts: ModelFacts): ChatPrompt {
  checkModel(value, facts);
  return promptOf(parseCount(value), facts);
}

/** Errors: `invalid_argument` for a format that is asked for in both ways, or cannot be enforced. */
function formatOf({ output_config: config, output_format: format }: AnthropicBody): Constraint | undefined {
  const configured = config?.format ?? undefined;
  if (format === undefined || format === null)
    return configured && schemaConstraint(configured.schema, "output_config.format.schema");
  if (configured !== undefined) throw fieldError("output_format", "cannot be combined with output_config.format");
  return schemaConstraint(format.schema, "output_format.schema");
}

/** Errors: `invalid_argument` for a choice of a tool without its name. */
function toolBodyOf({ tools, tool_choice: choice }: AnthropicCountBody): ToolBody {
  return {
    tools: (tools ?? []).map(({ name, description, input_schema: parameters, strict }) => ({
      function: { name, description: description ?? null, parameters, strict: strict ?? null },
    })),
    tool_choice: choiceOf(choice ?? undefined),
    names: { ...TOOL_NAMES, parameters: "input_schema" },
  };
}

/** A choice in OpenAI's words. */
function choiceOf(choice: AnthropicCountBody["tool_choice"] | undefined): unknown {
  switch (choice?.type) {
    case "any":
      return "required";
    case "tool":
      if (typeof choice.name !== "string") throw fieldError("tool_choice.name", "is required");
      return { type: "function", name: choice.name };
    default:
      return choice?.type;
  }
}

function promptOf(body: AnthropicCountBody, facts: ModelFacts): ChatPrompt {
  const images: ImageReference[] = [];
  const messages = withoutSilentEnd(
    body.messages.flatMap((message, i) => templateMessages(message, `messages[${i}]`, images)),
  );
  checkReadsImages(images, facts);
  const system = systemText(body.system ?? undefined);
  const tools = readTemplateTools(toolBodyOf(body));
  const isContinued = messages.at(-1)?.role === "assistant";
  return {
    kind: "chat",
    field: "messages",
    input: {
      messages: system === undefined ? messages : [{ role: "system", content: system }, ...messages],
      addGenerationPrompt: !isContinued,
      ...(isContinued && { continueFinalMessage: true }),
      ...(tools !== undefined && { tools }),
    },
    images,
  };
}

/** A last turn of the assistant's that says and calls nothing begins no answer: Anthropic's lets it be empty, or thoughts alone. */
function withoutSilentEnd(messages: ChatMessage[]): ChatMessage[] {
  const last = messages.at(-1);
  return last?.role === "assistant" && saysNothing(last) ? messages.slice(0, -1) : messages;
}

function saysNothing({ content, tool_calls: calls }: ChatMessage): boolean {
  if (calls !== undefined) return false;
  return Array.isArray(content) ? content.every((part) => part?.text === "") : content === "";
}

function systemText(system: AnthropicCountBody["system"] | undefined): string | undefined {
  if (system === undefined || system === null || system.length === 0) return undefined;
  return joined(system);
}

/** A turn as templates take it: each call's result is a message of its own, before what the user says besides. */
function templateMessages({ role, content }: AnthropicMessage, field: string, images: ImageReference[]): ChatMessage[] {
  if (typeof content === "string") return [{ role, content }];
  const results: ChatMessage[] = [];
  const said: unknown[] = [];
  const calls: unknown[] = [];
  for (const [i, block] of content.entries()) {
    const name = `${field}.content[${i}]`;
    if (block.type === "tool_result") results.push(resultMessage(block, name, images));
    else if (block.type === "tool_use") calls.push(templateCall(block));
    else if (block.type !== "thinking" && block.type !== "redacted_thinking")
      said.push(templatePart(block, name, images));
  }
  if (said.length === 0 && calls.length === 0) return results;
  return [
    ...results,
    { role, content: said.length === 0 ? null : said, ...(calls.length > 0 && { tool_calls: calls }) },
  ];
}

function templateCall({ id, name, input }: Extract<AnthropicBlock, { type: "tool_use" }>) {
  return { id, type: "function", function: { name, arguments: input ?? "" } };
}

function resultMessage(
  { tool_use_id: callId, content }: Extract<AnthropicBlock, { type: "tool_result" }>,
  field: string,
  images: ImageReference[],
): ChatMessage {
  const parts =
    typeof content === "string"
      ? content
      : (content ?? []).map((part, i) => templatePart(part, `${field}.content[${i}]`, images));
  return { role: "tool", tool_call_id: callId, content: parts };
}

function templatePart(block: AnthropicSaid, field: string, images: ImageReference[]) {
  if (block.type !== "image") return { type: "text", text: textOf(block) };
  const { source } = block;
  const image =
    source.type === "url"
      ? { url: source.url, field: `${field}.source.url` }
      : { url: `data:${source.media_type};base64,${source.data}`, field: `${field}.source.data` };
  addImage(images, image, field);
  return { type: "image_url" };
}

/** What a block says to a model that reads text: of a document and of what was found, what they are called first. */
function textOf(block: Exclude<AnthropicSaid, { type: "image" }>): string {
  if (block.type === "text") return block.text;
  if (block.type === "search_result") return [block.title, block.source, joined(block.content)].join("\n");
  const { title, context, source } = block;
  const text = source.type === "text" ? source.data : joined(source.content);
  return [title, context, text].filter((one) => typeof one === "string" && one !== "").join("\n");
}

const joined = (texts: string | readonly Readonly<{ text: string }>[]): string =>
  typeof texts === "string" ? texts : texts.map(({ text }) => text).join("\n");
