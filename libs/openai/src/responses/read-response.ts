import { type ChatMessage, plainNumber } from "@drover/chat";
import { DroverError } from "@drover/core";
import { answerConstraint } from "../read/answer-constraint.ts";
import { jsonObjectConstraint, schemaConstraint } from "../read/constraint.ts";
import { addImage, checkReadsImages, imageAt } from "../read/images.ts";
import { readSampling } from "../read/sampling.ts";
import { checkModel, checkNamedModel } from "../read/served-model.ts";
import { checkToolChoice, readTemplateTools, readToolCallRules, TOOL_NAMES, type ToolBody } from "../read/tools.ts";
import { unsupportedIn } from "../read/unsupported.ts";
import type {
  Constraint,
  Conversation,
  GenerationQuery,
  ImageReference,
  PromptQuery,
} from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError, parserOf } from "../schema/check.ts";
import { SENTENCES } from "../schema/sentences.ts";
import { fileText } from "./file-text.ts";
import { hasAnswer } from "./input-items.ts";
import { withItems } from "./kept-items.ts";
import type { KeptParts, KeptResponse } from "./kept-response.ts";
import { ResponseBody, type ResponseItem, type ResponseParts } from "./response-body.ts";

const parseBody = parserOf(ResponseBody);
const refuseUnsupported = unsupportedIn(ResponseBody);
const LOGPROBS = "message.output_text.logprobs";

/**
 * Reads the body of `POST /v1/responses`; `kept` is what is kept of what it names. Errors: `invalid_argument` or `model_not_found`, naming the
 * field; `not_found` for a previous answer or an item that is not kept.
 */
export function readResponse(value: unknown, facts: ModelFacts, kept: KeptParts | undefined): GenerationQuery {
  checkModel(value, facts);
  const body = parseBody(withItems(value, kept?.items));
  refuseUnsupported(body);
  const id = body.previous_response_id ?? undefined;
  if (id !== undefined && kept?.previous === undefined)
    throw new DroverError("not_found", `the response ${JSON.stringify(id.slice(0, 100))} is not kept here`, {
      field: "previous_response_id",
    });
  if (id === undefined && body.input.length === 0 && typeof body.input !== "string")
    throw fieldError("input", SENTENCES.empty);
  checkHasEnded(kept?.previous);
  if (body.background === true && body.store === false)
    throw fieldError("background", "is not supported without store: the response is asked for by its id");
  const conversation = conversationOf(body, kept?.previous?.conversation);
  checkReadsImages(conversation.images, facts);
  const toolBody = toolBodyOf(body);
  checkToolChoice(toolBody);
  const tools = readTemplateTools(toolBody);
  const hasLogprobs = body.include?.includes(LOGPROBS) === true;
  const { instructions } = body;
  return {
    prompt: {
      kind: "chat",
      field: "input",
      input: {
        messages:
          typeof instructions === "string"
            ? [{ role: "system", content: instructions }, ...conversation.messages]
            : conversation.messages,
        addGenerationPrompt: true,
        ...(tools !== undefined && { tools }),
      },
      images: conversation.images,
    },
    sampling: readSampling({ temperature: body.temperature ?? null, top_p: body.top_p ?? null }, facts, {
      topLogprobs: hasLogprobs ? (body.top_logprobs ?? 0) : -1,
      promptTopLogprobs: -1,
    }),
    budget: {
      asked: body.max_output_tokens ?? undefined,
      field: "max_output_tokens",
      unasked: facts.defaults.maxNewTokens ?? Number.POSITIVE_INFINITY,
    },
    stop: [],
    toolCalls: readToolCallRules(toolBody, body.parallel_tool_calls),
    constraint: answerConstraint(formatOf(body), toolBody, body.parallel_tool_calls, facts),
    echo: false,
    ...(body.truncation === "auto" && conversation.images.length === 0 && { promptTokensKept: "fit" as const }),
    reply: {
      stream: body.stream ?? false,
      includeUsage: true,
      returnTokenIds: false,
      ...(body.stream_options?.include_obfuscation === true && { obfuscates: true }),
      repeated: repeatedFields(body),
      ...(body.store !== false && { conversation }),
      ...(body.background === true && { background: true }),
    },
  };
}

/** The prompt that a body of `POST /v1/responses/input_tokens` would give; its model may be left out. Errors: as {@link readResponse}. */
export function readResponseCount(value: unknown, facts: ModelFacts, kept: KeptParts | undefined): PromptQuery {
  checkNamedModel(value, facts);
  const names = typeof value === "object" && value !== null && "model" in value && value.model !== null;
  return readResponse(names ? value : { ...(value as object), model: facts.modelId }, facts, kept).prompt;
}

/** Errors: `invalid_argument` for one that is still computed, or has no answer. */
function checkHasEnded(previous: KeptResponse | undefined): void {
  if (previous === undefined || hasAnswer(previous.response)) return;
  throw fieldError("previous_response_id", "has not been answered: ask for it by its id until it is completed");
}

/** What a response repeats of its request. */
function repeatedFields(body: ResponseBody): Readonly<Record<string, unknown>> {
  return {
    background: body.background ?? false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    // As they were sent, whatever the choice of tokens has made of them.
    ...(typeof body.temperature === "number" && { temperature: body.temperature }),
    ...(typeof body.top_p === "number" && { top_p: body.top_p }),
    store: body.store ?? true,
    text: { ...body.text, format: body.text?.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: repeatedTools(body),
    truncation: body.truncation ?? "disabled",
  };
}

/** In JSON's own values: a template's numbers are kept as they were written. */
function repeatedTools({ tools }: ResponseBody): readonly unknown[] {
  const all = (tools ?? []).map((tool) => ({ strict: false, ...tool }));
  return JSON.parse(JSON.stringify(all, plainNumber)) as readonly unknown[];
}

/** Errors: `invalid_argument`, naming the place in a schema that cannot be enforced. */
function formatOf({ text }: ResponseBody): Constraint | undefined {
  const format = text?.format ?? undefined;
  if (format?.type === "json_object") return jsonObjectConstraint("text.format");
  return format?.type === "json_schema" ? schemaConstraint(format.schema, "text.format.schema") : undefined;
}

function toolBodyOf({ tools, tool_choice: choice }: ResponseBody): ToolBody {
  return {
    tools: (tools ?? []).map(({ name, description, parameters, strict }) => ({
      function: { name, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null },
    })),
    tool_choice: choice,
    names: { ...TOOL_NAMES, parameters: "parameters" },
  };
}

function conversationOf({ input }: ResponseBody, previous: Conversation | undefined): Conversation {
  const images: ImageReference[] = [...(previous?.images ?? [])];
  const messages: ChatMessage[] = [...(previous?.messages ?? [])];
  if (typeof input === "string") return { messages: [...messages, { role: "user", content: input }], images };
  for (const [i, item] of input.entries()) addItem(item, `input[${i}]`, messages, images);
  return { messages, images };
}

/** Calls that follow each other, or the assistant's text, are one message of the assistant's to a template. */
function addItem(item: ResponseItem, field: string, messages: ChatMessage[], images: ImageReference[]): void {
  if (item.type === "reasoning") return;
  if (item.type === "function_call_output" || item.type === "custom_tool_call_output") {
    const content = templateContent(item.output ?? "", `${field}.output`, images);
    messages.push({ role: "tool", tool_call_id: item.call_id, content });
    return;
  }
  if (item.type === "message") {
    const content = templateContent(item.content, `${field}.content`, images);
    messages.push({ role: item.role === "developer" ? "system" : item.role, content });
    return;
  }
  const written = item.type === "function_call" ? item.arguments : item.input;
  const call = { id: item.call_id, type: "function", function: { name: item.name, arguments: written ?? "" } };
  const last = messages.at(-1);
  if (last?.role !== "assistant") messages.push({ role: "assistant", content: null, tool_calls: [call] });
  else messages[messages.length - 1] = { ...last, tool_calls: [...callsOf(last), call] };
}

const callsOf = ({ tool_calls: calls }: ChatMessage): readonly unknown[] => (Array.isArray(calls) ? calls : []);

function templateContent(content: ResponseParts, field: string, images: ImageReference[]) {
  if (typeof content === "string") return content;
  return content.map((part, i) => {
    if (part.type === "refusal") return { type: "text", text: part.refusal };
    if (part.type === "input_file") return { type: "text", text: fileText(part, `${field}[${i}]`) };
    if (part.type !== "input_image" && part.type !== "image_url") return { type: "text", text: part.text };
    addImage(images, imageAt(part.image_url, `${field}[${i}].image_url`), `${field}[${i}]`);
    return { type: "image_url" };
  });
}
