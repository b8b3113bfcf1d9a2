import type { ChatMessage } from "@drover/chat";
import { type Static, Type } from "typebox";
import type { FinishReason, TokenLogprob, ToolCall } from "../text/output.ts";
import type { Answer } from "../write/answer.ts";
import { chatLogprobs } from "../write/logprobs.ts";
import type { Written } from "../write/long-list.ts";
import type { ReplyFrame } from "../write/reply-frame.ts";
import { hasAnswer } from "./input-items.ts";
import type { KeptResponse } from "./kept-response.ts";

const OutputText = Type.Object({
  type: Type.Literal("output_text"),
  text: Type.String(),
  annotations: Type.Array(Type.Never()),
  logprobs: Type.Array(Type.Unknown(), { description: "Where `include` asks for them." }),
});

const OutputItem = Type.Union([
  Type.Object({
    id: Type.String(),
    type: Type.Literal("message"),
    role: Type.Literal("assistant"),
    status: Type.Enum(["in_progress", "completed", "incomplete"]),
    content: Type.Array(OutputText),
  }),
  Type.Object({
    id: Type.String(),
    type: Type.Literal("function_call"),
    call_id: Type.String(),
    name: Type.String(),
    arguments: Type.String({ description: "A JSON object, as text." }),
    status: Type.Enum(["in_progress", "completed"]),
  }),
]);
export type OutputItem = Written<Static<typeof OutputItem>>;

const ResponseUsage = Type.Object({
  input_tokens: Type.Integer(),
  input_tokens_details: Type.Object({
    cached_tokens: Type.Integer({ description: "Of the prompt: what its worker had cached and did not compute." }),
  }),
  output_tokens: Type.Integer(),
  output_tokens_details: Type.Object({ reasoning_tokens: Type.Literal(0) }),
  total_tokens: Type.Integer(),
});

/** The answer of `POST /v1/responses`. */
export const ResponseObject = Type.Object({
  id: Type.String({ description: "Names the answer, for `previous_response_id`." }),
  object: Type.Literal("response"),
  created_at: Type.Integer({ description: "Unix seconds." }),
  status: Type.Enum(["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"], {
    description: "`queued` and `cancelled` only with `background`.",
  }),
  error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
  incomplete_details: Type.Union([Type.Object({ reason: Type.Literal("max_output_tokens") }), Type.Null()]),
  model: Type.String(),
  output: Type.Array(OutputItem),
  usage: Type.Union([ResponseUsage, Type.Null()]),
});
export type ResponseObject = Omit<Static<typeof ResponseObject>, "output"> &
  Readonly<{ output: readonly OutputItem[] }>;

/** What every response says of itself before anything has come of it. */
export function begunResponse({ id, created, model, request, options }: ReplyFrame): ResponseObject {
  return {
    id,
    object: "response",
    created_at: created,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    model: model.modelId,
    output: [],
    usage: null,
    ...{
      reasoning: { effort: null, summary: null },
      temperature: request.sampling.temperature,
      text: { format: { type: "text" } },
      top_p: request.sampling.topP,
      truncation: "disabled",
      ...options.repeated,
    },
  };
}

/** A response that has ended. */
export function endedResponse(
  frame: ReplyFrame,
  output: readonly OutputItem[],
  finish: FinishReason,
  counts: Readonly<{ cached: number; generated: number }>,
): ResponseObject {
  const promptCount = frame.request.promptTokenIds.length;
  const isCut = finish === "length";
  return {
    ...begunResponse(frame),
    status: isCut ? "incomplete" : "completed",
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    output,
    usage: {
      input_tokens: promptCount,
      input_tokens_details: { cached_tokens: counts.cached },
      output_tokens: counts.generated,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: promptCount + counts.generated,
    },
  };
}

/** The body of a response that is not streamed. */
export function wholeResponse(frame: ReplyFrame, answer: Answer): ResponseObject {
  const [choice] = answer.choices;
  const { text = "", toolCalls = [], logprobs = [], shownCount = 0, finish = "length" } = choice ?? {};
  const output: OutputItem[] = toolCalls.map((call, i) => functionCall(frame.id, i, call));
  if (text !== "" || output.length === 0)
    output.unshift(messageItem(frame, text, logprobs.slice(0, shownCount), finish));
  return endedResponse(frame, output, finish, {
    cached: answer.cachedTokenCount,
    generated: answer.completionTokenCount,
  });
}

/** What the model has said, as an item. */
export function messageItem(
  frame: ReplyFrame,
  text: string,
  logprobs: readonly TokenLogprob[],
  finish: FinishReason,
): OutputItem {
  const told = frame.request.sampling.topLogprobs < 0 ? [] : chatLogprobs(logprobs, frame.model.tokenizer).content;
  return {
    id: itemId("msg", frame.id, 0),
    type: "message",
    role: "assistant",
    status: finish === "length" ? "incomplete" : "completed",
    content: [{ type: "output_text", text, annotations: [], logprobs: told }],
  };
}

/** A call, as an item. */
export function functionCall(
  responseId: string,
  index: number,
  { id, name, arguments: written }: ToolCall,
): Extract<OutputItem, { type: "function_call" }> {
  const itemName = itemId("fc", responseId, index);
  return { id: itemName, type: "function_call", call_id: id, name, arguments: written, status: "completed" };
}

/** Items are named by their response and their place in it. */
export function itemId(kind: "msg" | "fc", responseId: string, index: number): string {
  return `${kind}_${responseId.replace(/^resp_/, "")}${index === 0 ? "" : `_${index}`}`;
}

/** What is kept of a response for those that go on with it; undefined where its client wants nothing kept. */
export function keptResponse({ model, options }: ReplyFrame, response: ResponseObject): KeptResponse | undefined {
  const { conversation } = options;
  if (conversation === undefined) return undefined;
  const turns = hasAnswer(response) ? [answerTurn(response.output)] : [];
  return {
    model: model.modelId,
    response,
    conversation: { ...conversation, messages: [...conversation.messages, ...turns] },
  };
}

/** A response that is computed in the background, as it is told before it has ended. */
export function pendingResponse(frame: ReplyFrame, status: "queued" | "in_progress"): ResponseObject {
  return { ...begunResponse(frame), status };
}

/** The answer as a template takes it: one turn of the assistant's. */
function answerTurn(output: readonly OutputItem[]): ChatMessage {
  const said = output.flatMap((item) => (item.type === "message" ? [...item.content].map(({ text }) => text) : []));
  const calls = output.flatMap((item) =>
    item.type === "function_call"
      ? [{ id: item.call_id, type: "function", function: { name: item.name, arguments: item.arguments } }]
      : [],
  );
  return {
    role: "assistant",
    content: said.length === 0 ? null : said.join(""),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}
