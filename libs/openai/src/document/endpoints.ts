import { type TSchema, Type } from "typebox";
import { anthropicError } from "../anthropic/error.ts";
import { AnthropicAnswer, AnthropicCount, anthropicMessage } from "../anthropic/message.ts";
import { AnthropicBody, AnthropicCountBody } from "../anthropic/message-body.ts";
import { AnthropicEvent, AnthropicReplyStream } from "../anthropic/message-stream.ts";
import { readAnthropic } from "../anthropic/read-message.ts";
import { ChatBody, readChat } from "../read/chat.ts";
import { CompletionBody, readCompletions } from "../read/completion.ts";
import { DetokenizeBody, TokenizeBody } from "../read/tokens.ts";
import { keptNames } from "../responses/kept-items.ts";
import { readResponse } from "../responses/read-response.ts";
import { keptResponse, pendingResponse, ResponseObject, wholeResponse } from "../responses/response.ts";
import { ResponseBody } from "../responses/response-body.ts";
import { ResponseEvent, ResponseReplyStream } from "../responses/response-stream.ts";
import { ChatCompletion, chatCompletion } from "../write/chat.ts";
import { ChatCompletionChunk, ChatReplyStream } from "../write/chat-stream.ts";
import { Completion, CompletionChunk, completion } from "../write/completion.ts";
import { CompletionReplyStream } from "../write/completion-stream.ts";
import { ModelCard, ModelList } from "../write/models.ts";
import { DetokenizeReply, TokenizeReply, TokenizerInfo } from "../write/tokens.ts";
import { BATCH_ENDPOINTS } from "./batch-endpoints.ts";
import type { Endpoint, GenerationEndpoint, NamedSchema } from "./endpoint.ts";
import { RESPONSE_ENDPOINTS } from "./response-endpoints.ts";

const named = (name: string, schema: TSchema): NamedSchema => ({ name, schema });

const GENERATION_ERRORS = [
  "context_length_exceeded",
  "model_not_found",
  "overloaded",
  "unavailable",
  "deadline_exceeded",
] as const;

/** The endpoints that generate; the router serves each of them by what is said here. */
export const GENERATION_ENDPOINTS: readonly GenerationEndpoint[] = [
  {
    method: "post",
    path: "/v1/chat/completions",
    tag: "Generating",
    summary: "Answers a conversation",
    description: "The messages are rendered by the checkpoint's own template.",
    body: named("ChatCompletionRequest", ChatBody),
    answer: named("ChatCompletion", ChatCompletion),
    chunk: named("ChatCompletionChunk", ChatCompletionChunk),
    errors: GENERATION_ERRORS,
    idPrefix: "chatcmpl-",
    read: (body, facts) => [readChat(body, facts)],
    whole: (frame, answer) => ({ body: chatCompletion(frame, answer) }),
    stream: (frame) => new ChatReplyStream(frame),
  },
  {
    method: "post",
    path: "/v1/completions",
    tag: "Generating",
    summary: "Continues texts",
    description:
      "Of several prompts, the choices are in their order and counted through, each prompt's `n` beside one another; together they may be 128. `logprobs` have an entry for every token that was generated, also for the one that ended a choice.",
    body: named("CompletionRequest", CompletionBody),
    answer: named("Completion", Completion),
    chunk: named("CompletionChunk", CompletionChunk),
    errors: GENERATION_ERRORS,
    idPrefix: "cmpl-",
    read: readCompletions,
    whole: (frame, answer) => ({ body: completion(frame, answer) }),
    stream: (frame) => new CompletionReplyStream(frame),
  },
  {
    method: "post",
    path: "/v1/responses",
    tag: "Generating",
    summary: "Answers a conversation, and keeps it for the next turn",
    description:
      "OpenAI's newer interface. Without `store: false` the conversation is kept for a while, so that the next request need only say `previous_response_id`. With `background` it is answered at once and asked for by its id: it counts among the router's requests until it has ended, its body may have 4 MiB, and where its router goes, the next one that is asked for it goes on with it.",
    body: named("ResponseRequest", ResponseBody),
    answer: named("Response", ResponseObject),
    chunk: named("ResponseEvent", ResponseEvent),
    errors: [...GENERATION_ERRORS, "not_found"],
    idPrefix: "resp_",
    keptNames,
    read: (body, facts, kept) => [readResponse(body, facts, kept)],
    whole: (frame, answer) => {
      const body = wholeResponse(frame, answer);
      return { body, kept: keptResponse(frame, body) };
    },
    stream: (frame) => new ResponseReplyStream(frame),
    pending: (frame, status) => {
      const body = pendingResponse(frame, status);
      return { body, kept: keptResponse(frame, body) };
    },
  },
  {
    method: "post",
    path: "/v1/messages",
    tag: "Generating",
    summary: "Answers a conversation in Anthropic's shape",
    description: "The key may come as `x-api-key`. Errors have Anthropic's shape.",
    body: named("AnthropicMessageRequest", AnthropicBody),
    answer: named("AnthropicAnswer", AnthropicAnswer),
    chunk: named("AnthropicEvent", AnthropicEvent),
    errors: GENERATION_ERRORS,
    idPrefix: "msg_",
    read: (body, facts) => [readAnthropic(body, facts)],
    whole: (frame, answer) => ({ body: anthropicMessage(frame, answer) }),
    stream: (frame) => new AnthropicReplyStream(frame),
    refusal: anthropicError,
  },
];

/** Of several models. */
const MODEL = { in: "query", description: "Its name; the first one's when absent.", isRequired: false } as const;

const status = (name: string, fields: Readonly<Record<string, TSchema>>) => named(name, Type.Object(fields));

const HEALTH = status("Health", { status: Type.Literal("ok") });

/** All endpoints, in the order in which they are described. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...GENERATION_ENDPOINTS,
  {
    method: "post",
    path: "/v1/messages/count_tokens",
    tag: "Models and tokens",
    summary: "Counts the tokens that a conversation in Anthropic's shape would have",
    body: named("AnthropicCountRequest", AnthropicCountBody),
    answer: named("AnthropicCount", AnthropicCount),
    errors: ["model_not_found"],
  },
  ...RESPONSE_ENDPOINTS,
  ...BATCH_ENDPOINTS,
  {
    method: "get",
    path: "/v1/models",
    tag: "Models and tokens",
    summary: "Lists the served models",
    answer: named("ModelList", ModelList),
    errors: [],
  },
  {
    method: "get",
    path: "/v1/models/{model}",
    tag: "Models and tokens",
    summary: "Describes a served model",
    parameters: { model: { in: "path", description: "Its name, which may have slashes." } },
    answer: named("Model", ModelCard),
    errors: ["model_not_found"],
  },
  {
    method: "post",
    path: "/tokenize",
    tag: "Models and tokens",
    summary: "Turns text or a conversation into token ids",
    body: named("TokenizeRequest", TokenizeBody),
    answer: named("TokenizeReply", TokenizeReply),
    errors: ["model_not_found"],
  },
  {
    method: "post",
    path: "/detokenize",
    tag: "Models and tokens",
    summary: "Turns token ids into text",
    body: named("DetokenizeRequest", DetokenizeBody),
    answer: named("DetokenizeReply", DetokenizeReply),
    errors: ["model_not_found"],
  },
  {
    method: "get",
    path: "/",
    tag: "Operating",
    summary: "Says in words what this is and where to look",
    isOpen: true,
    answer: { mediaType: "text/plain", description: "A short text." },
    errors: [],
  },
  {
    method: "get",
    path: "/tokenizer_info",
    tag: "Models and tokens",
    summary: "Tells a model's special tokens and chat template",
    parameters: { model: MODEL },
    answer: named("TokenizerInfo", TokenizerInfo),
    errors: ["model_not_found"],
  },
  {
    method: "get",
    path: "/ping",
    tag: "Operating",
    summary: "Answers as /health",
    isOpen: true,
    answer: HEALTH,
    errors: [],
  },
  {
    method: "get",
    path: "/version",
    tag: "Operating",
    summary: "Tells Drover's version",
    isOpen: true,
    answer: status("Version", { version: Type.String() }),
    errors: [],
  },
  {
    method: "get",
    path: "/health",
    tag: "Operating",
    summary: "Answers while the process lives",
    isOpen: true,
    answer: HEALTH,
    errors: [],
  },
  {
    method: "get",
    path: "/ready",
    tag: "Operating",
    summary: "Tells whether requests can be served, with 200 or 503",
    isOpen: true,
    answer: status("Readiness", { ready: Type.Boolean() }),
    errors: [],
  },
  {
    method: "get",
    path: "/metrics",
    tag: "Operating",
    summary: "Gives the metrics of this router",
    isOpen: true,
    answer: { mediaType: "text/plain; version=0.0.4", description: "Prometheus' text format." },
    errors: [],
  },
  {
    method: "get",
    path: "/openapi.json",
    tag: "Operating",
    summary: "Gives this document",
    isOpen: true,
    answer: status("OpenApiDocument", { openapi: Type.String() }),
    errors: [],
  },
  {
    method: "get",
    path: "/debug/cluster",
    tag: "Operating",
    summary: "Shows a model's cluster as this router knows it",
    parameters: { model: MODEL },
    answer: status("ClusterState", { ready: Type.Boolean() }),
    errors: [],
  },
  {
    method: "get",
    path: "/debug/placement",
    tag: "Operating",
    summary: "Tells why a request went to the worker that answered it",
    parameters: {
      request: {
        in: "query",
        description: "The id of its answer, or its `x-request-id` where this router answered it.",
      },
      model: MODEL,
    },
    answer: status("PlacementDecisions", { decisions: Type.Array(Type.Unknown()) }),
    errors: ["not_found", "unavailable"],
  },
];
