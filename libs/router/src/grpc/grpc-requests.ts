import { isFieldSet } from "@bufbuild/protobuf";
import { parseExactJson } from "@drover/chat";
import { DroverError } from "@drover/core";
import {
  type ChatBody,
  type CompletionBody,
  type GenerationQuery,
  type ModelFacts,
  type PromptQuery,
  readChat,
  readCompletion,
  readTokenize,
} from "@drover/openai";
import { publicApi } from "@drover/proto";

/** Fields of an HTTP body by their names; what they hold is checked when they are read. */
type Fields<T> = Partial<Readonly<Record<keyof T, unknown>>>;

/** Reads a conversation by the same checks as over HTTP. Errors: those of `readChat`, and `invalid_argument` for tools that are not JSON. */
export function readChatMessage(message: publicApi.ChatRequest, facts: ModelFacts): GenerationQuery {
  const { options } = message;
  const fields: Fields<ChatBody> = {
    ...chatFields(message),
    ...samplingFields(options),
    parallel_tool_calls: message.parallelToolCalls,
    add_generation_prompt: message.addGenerationPrompt,
    continue_final_message: message.continueFinalMessage,
    logprobs: options?.topLogprobs !== undefined,
    top_logprobs: options?.topLogprobs,
  };
  return readChat(fields, facts);
}

/** Reads a prompt that is to be continued, by the same checks as over HTTP. Errors: those of `readCompletion`. */
export function readGenerateMessage(message: publicApi.GenerateRequest, facts: ModelFacts): GenerationQuery {
  const { prompt, options } = message;
  const fields: Fields<CompletionBody> = {
    ...samplingFields(options),
    ...named(message.model),
    prompt: prompt.case === "tokenIds" ? prompt.value.ids : prompt.value,
    echo: message.echo,
    add_special_tokens: message.addSpecialTokens,
    parse_special: message.parseSpecial,
    logprobs: options?.topLogprobs,
  };
  return readCompletion(fields, facts);
}

/** The model that a prompt is to be tokenized for. */
export function tokenizeModel({ model, input }: publicApi.TokenizeRequest): string {
  return model === "" && input.case === "chat" ? input.value.model : model;
}

/** Reads what is only to be tokenized. Errors: those of `readTokenize`. */
export function readTokenizeMessage({ model, input }: publicApi.TokenizeRequest, facts: ModelFacts): PromptQuery {
  const fields =
    input.case === "chat" ? { ...chatFields(input.value), ...named(model) } : { ...named(model), prompt: input.value };
  return readTokenize(fields, facts).prompt;
}

/** A refused field of the HTTP interface by the name that it has in the messages. */
export function messageField(field: string): string {
  return field
    .replace(/^logprobs$/, "top_logprobs")
    .replace(/^structured_outputs\.json\b(?!_)/, "options.constraint.json_schema")
    .replace(/^structured_outputs\b/, "options.constraint")
    .replace(/^(messages\[\d+\])\.content(\[\d+\])/, "$1.parts$2")
    .replace(/\.image_url\.url$/, ".image_url");
}

/** A name that is empty is none. */
const named = (model: string) => (model === "" ? {} : { model });

function chatFields(message: publicApi.ChatRequest): Fields<ChatBody> {
  return {
    ...named(message.model),
    messages: message.messages.map(turn),
    tools: message.tools.map(tool),
    ...(message.toolChoice !== "" && { tool_choice: toolChoice(message.toolChoice) }),
  };
}

/** A word of the HTTP interface, or else a function's name. */
const toolChoice = (choice: string): unknown =>
  ["auto", "none", "required"].includes(choice) ? choice : { type: "function", function: { name: choice } };

/** What the reply must match, by the names of the HTTP interface. */
function constraintFields(constraint: publicApi.Constraint | undefined): Fields<ChatBody> {
  if (constraint === undefined || constraint.kind.case === undefined) return {};
  const { case: kind, value } = constraint.kind;
  const given = kind === "choice" ? value.texts : value;
  return { structured_outputs: { [CONSTRAINT_NAMES[kind]]: given } };
}

const CONSTRAINT_NAMES = {
  jsonSchema: "json",
  jsonObject: "json_object",
  regex: "regex",
  choice: "choice",
  grammar: "grammar",
} as const;

function turn({ role, content, parts, toolCalls, toolCallId }: publicApi.ChatMessage) {
  return {
    role,
    content: parts.length > 0 ? parts.map(part) : content,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(toolCall) }),
    ...(toolCallId !== "" && { tool_call_id: toolCallId }),
  };
}

const toolCall = ({ id, function: called }: publicApi.ToolCall) => ({
  id,
  function: { name: called?.name, arguments: called?.arguments },
});

function part({ part: value }: publicApi.ContentPart) {
  if (value.case === "imageUrl") return { type: "image_url", image_url: { url: value.value } };
  return { type: "text", text: value.value };
}

function tool(text: string, index: number): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    throw new DroverError("invalid_argument", "must be a JSON object", { field: `tools[${index}]`, cause });
  }
}

/** The options that are set. The message's fields have the names of the HTTP interface, but for the log-probabilities, which each call has in its own way. */
function samplingFields(options: publicApi.SamplingOptions | undefined): Fields<ChatBody & CompletionBody> {
  const set = publicApi.SamplingOptionsSchema.fields.filter(
    (field) => options !== undefined && !TRANSLATED.includes(field.name) && isFieldSet(options, field),
  );
  const values = Object.fromEntries(set.map(({ name, localName }) => [name, options?.[localName as OptionName]]));
  return {
    ...values,
    // Any unsigned seed is as good as another: the upper bits that a double cannot hold are dropped.
    ...(options?.seed !== undefined && { seed: Number(BigInt.asUintN(53, options.seed)) }),
    ...constraintFields(options?.constraint),
    return_token_ids: true,
    stream: true,
  };
}

/** Options that the HTTP interface has in another way. */
const TRANSLATED: readonly string[] = ["top_logprobs", "constraint"];

type OptionName = Exclude<keyof publicApi.SamplingOptions, "$typeName" | "$unknown">;
