import type { ChatInput, ChatMessage } from "@drover/chat";
import { DroverError } from "@drover/core";
import { IMAGES_MAX, MESSAGES_MAX, TOOLS_MAX, TOP_LOGPROBS_MAX } from "../limits.ts";
import type { ServedModel } from "../served-model.ts";
import { Fields } from "./fields.ts";
import type { InferenceRequest, ReplyOptions, ToolCallRules } from "./inference-request.ts";
import type { RequestContext } from "./request-context.ts";
import { type ImageReference, openImages, placeImages, type RequestImage } from "./request-images.ts";
import { fitTokens, readSampling, readStop, readStream } from "./sampling-fields.ts";
import { refuseUnsupported } from "./unsupported-fields.ts";

const ROLES = new Set(["system", "developer", "user", "assistant", "tool"]);

/** The body of POST /v1/chat/completions, validated, rendered and tokenized. Errors: `invalid_argument`, `model_not_found`, `context_length_exceeded`, naming the field. */
export async function readChatRequest(
  value: unknown,
  model: ServedModel,
  context: RequestContext,
): Promise<{ request: InferenceRequest; reply: ReplyOptions }> {
  const body = new Fields(value);
  requireModel(body, model);
  const shared = readSampling(body, model, context.drawnSeed);
  refuseUnsupported(body, shared.n);
  const wantsLogprobs = body.boolean("logprobs") ?? false;
  const top = body.integer("top_logprobs", { min: 0, max: TOP_LOGPROBS_MAX });
  if (top !== undefined && !wantsLogprobs) body.fail("top_logprobs", "needs logprobs to be true");
  const stop = readStop(body);
  const stream = readStream(body);
  const returnTokenIds = body.boolean("return_token_ids") ?? false;
  const askedField = body.raw("max_completion_tokens") === undefined ? "max_tokens" : "max_completion_tokens";
  const asked = body.integer(askedField, { min: 0 });
  const toolCalls = readToolCallRules(body);
  const { promptTokenIds, images } = await encodeChat(body, model, context);
  const maxTokens = fitTokens({
    asked,
    askedField,
    fallback: model.generation.maxNewTokens ?? Number.POSITIVE_INFINITY,
    promptTokenCount: promptTokenIds.length,
    promptField: "messages",
    contextTokensMax: context.contextTokensMax,
  });
  if (asked !== undefined && shared.minTokens > asked) body.fail("min_tokens", `must be at most ${askedField}`);
  return {
    request: {
      promptTokenIds,
      images,
      echoText: undefined,
      stop,
      toolCalls,
      sampling: { ...shared, maxTokens, topLogprobs: wantsLogprobs ? (top ?? 0) : -1, promptTopLogprobs: -1 },
    },
    reply: { ...stream, returnTokenIds },
  };
}

/** Renders `messages` (and `tools`) with the checkpoint's own template; images are opened first. */
export async function encodeChat(
  body: Fields,
  model: ServedModel,
  context: RequestContext,
  addGenerationPrompt = true,
): Promise<{ promptTokenIds: Uint32Array; images: readonly RequestImage[] }> {
  const references: ImageReference[] = [];
  const messages = readMessages(body, references);
  const tools = body.raw("tool_choice") === "none" ? undefined : readTools(body)?.map(({ entry }) => entry);
  const variables = body.object("chat_template_kwargs");
  const input: ChatInput = {
    messages,
    addGenerationPrompt,
    ...(tools === undefined ? {} : { tools }),
    ...(variables === undefined
      ? {}
      : { variables: Object.fromEntries(variables.names().map((name) => [name, variables.raw(name)])) }),
  };
  const opened = await openImages(references, model.images, context);
  const grids = opened.map(({ grid }) => grid);
  const promptTokenIds = await model.prompts.encodeChat(input, grids, context.signal);
  return {
    promptTokenIds,
    images: model.images === undefined ? [] : placeImages(promptTokenIds, opened, model.images),
  };
}

/** Errors: `model_not_found` for another model than the served one. */
export function requireModel(body: Fields, model: ServedModel, required = true): void {
  const asked = body.text("model");
  if (asked === undefined && required) body.fail("model", "is required");
  if (asked !== undefined && asked !== model.modelId)
    throw new DroverError("model_not_found", `the model ${JSON.stringify(asked.slice(0, 100))} does not exist`, {
      field: "model",
    });
}

function readMessages(body: Fields, images: ImageReference[]): ChatMessage[] {
  const list = body.list("messages", MESSAGES_MAX);
  if (list === undefined) body.fail("messages", "is required");
  if (list.length === 0) body.fail("messages", "must not be empty");
  return list.map((entry, i) => readMessage(new Fields(entry, `messages[${i}]`), images));
}

function readMessage(message: Fields, images: ImageReference[]): ChatMessage {
  const role = message.text("role");
  if (role === undefined) message.fail("role", "is required");
  if (!ROLES.has(role)) message.fail("role", `is unknown; the roles are ${[...ROLES].join(", ")}`);
  const calls = message.list("tool_calls", TOOLS_MAX)?.map((entry, i) => {
    const call = new Fields(entry, `${message.path("tool_calls")}[${i}]`);
    const target = call.object("function");
    const name = target?.text("name");
    const callArguments = target?.text("arguments");
    if (name === undefined || callArguments === undefined)
      call.fail("function", "must have a name and arguments, both strings");
    return { id: call.text("id") ?? "", type: "function", function: { name, arguments: callArguments } };
  });
  if (message.raw("function_call") !== undefined) message.fail("function_call", "is not supported");
  const content = readContent(message, images);
  if (content === null && calls === undefined) message.fail("content", "is required");
  const callId = message.text("tool_call_id");
  const name = message.text("name");
  return {
    role: role === "developer" ? "system" : role,
    content,
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...(callId === undefined ? {} : { tool_call_id: callId }),
    ...(name === undefined ? {} : { name }),
  } as ChatMessage;
}

type ContentPart = Readonly<{ type: "text"; text: string } | { type: "image_url" }>;

/** Images of the content are added to `images`; in their places stand parts without a URL, which no template needs. */
function readContent(message: Fields, images: ImageReference[]): string | null | ContentPart[] {
  const raw = message.raw("content");
  if (raw === undefined) return null;
  if (typeof raw === "string") return message.text("content") ?? null;
  if (!Array.isArray(raw)) message.fail("content", "must be a string or a list of parts");
  return raw.map((entry, i) => {
    const part = new Fields(entry, `${message.path("content")}[${i}]`);
    const type = part.text("type");
    if (type === undefined) return part.fail("type", "is required");
    if (type === "text") {
      const text = part.text("text");
      if (text === undefined) return part.fail("text", "is required");
      return { type, text };
    }
    if (type !== "image_url")
      return part.fail(type.slice(0, 100), "is not supported: a part must be text or image_url");
    images.push(readImage(part));
    if (images.length > IMAGES_MAX) return part.fail("image_url", `a request may have at most ${IMAGES_MAX} images`);
    return { type };
  });
}

function readImage(part: Fields): ImageReference {
  const image = part.object("image_url");
  if (image === undefined) return part.fail("image_url", "is required");
  const url = image.text("url");
  if (url === undefined) return image.fail("url", "is required");
  const detail = image.text("detail");
  if (detail !== undefined && !["auto", "low", "high"].includes(detail))
    return image.fail("detail", "must be auto, low or high");
  return { url, field: image.path("url") };
}

/** Undefined where the request has no tools, or `tool_choice` is none. */
function readToolCallRules(body: Fields): ToolCallRules | undefined {
  const parallel = body.boolean("parallel_tool_calls") ?? true;
  const tools = body.raw("tool_choice") === "none" ? undefined : readTools(body);
  return tools === undefined ? undefined : { names: tools.map(({ name }) => name), parallel };
}

function readTools(body: Fields): { name: string; entry: unknown }[] | undefined {
  const tools = body.list("tools", TOOLS_MAX);
  if (tools === undefined || tools.length === 0) return undefined;
  return tools.map((entry, i) => {
    const tool = new Fields(entry, `tools[${i}]`);
    if ((tool.text("type") ?? "function") !== "function") tool.fail("type", "must be function");
    const target = tool.object("function");
    const name = target?.text("name");
    if (name === undefined) return tool.fail("function", "must have a name");
    target?.object("parameters");
    return { name, entry };
  });
}
