import { type Static, Type } from "typebox";
import type { FinishReason, ToolCall } from "../text/output.ts";
import type { Answer } from "../write/answer.ts";
import type { ReplyFrame } from "../write/reply-frame.ts";

const AnswerBlock = Type.Union([
  Type.Object({ type: Type.Literal("text"), text: Type.String() }),
  Type.Object({
    type: Type.Literal("tool_use"),
    id: Type.String(),
    name: Type.String(),
    input: Type.Record(Type.String(), Type.Unknown()),
  }),
]);

const AnthropicUsage = Type.Object({
  input_tokens: Type.Integer({ description: "Of the prompt: what was computed." }),
  cache_creation_input_tokens: Type.Literal(0),
  cache_read_input_tokens: Type.Integer({ description: "Of the prompt: what its worker had cached." }),
  output_tokens: Type.Integer(),
});

const StopReason = Type.Enum(["end_turn", "max_tokens", "stop_sequence", "tool_use"]);

/** The answer of `POST /v1/messages`. */
export const AnthropicAnswer = Type.Object({
  id: Type.String({ description: "Names the request, also for `GET /debug/placement`." }),
  type: Type.Literal("message"),
  role: Type.Literal("assistant"),
  model: Type.String(),
  content: Type.Array(AnswerBlock),
  stop_reason: Type.Union([StopReason, Type.Null()], { description: "null only in a stream's first event." }),
  stop_sequence: Type.Union([Type.String(), Type.Null()], { description: "The stop string that ended the answer." }),
  usage: AnthropicUsage,
});
export type AnthropicAnswer = Static<typeof AnthropicAnswer>;

/** The answer of `POST /v1/messages/count_tokens`. */
export const AnthropicCount = Type.Object({ input_tokens: Type.Integer() });

/** The body of a message that is not streamed. */
export function anthropicMessage({ id, model, request }: ReplyFrame, answer: Answer): AnthropicAnswer {
  const [choice] = answer.choices;
  const { text = "", toolCalls = [], finish = "length", stopString } = choice ?? {};
  return {
    id,
    type: "message",
    role: "assistant",
    model: model.modelId,
    content: [
      ...(text === "" && toolCalls.length > 0 ? [] : [{ type: "text" as const, text }]),
      ...toolCalls.map(toolUse),
    ],
    ...stopOf(finish, stopString),
    usage: anthropicUsage(request.promptTokenIds.length, answer.cachedTokenCount, answer.completionTokenCount),
  };
}

function toolUse({ id, name, arguments: written }: ToolCall) {
  return { type: "tool_use" as const, id, name, input: JSON.parse(written) as Record<string, unknown> };
}

/** Why an answer ended, in Anthropic's words. */
export function stopOf(finish: FinishReason, stopString: string | undefined) {
  if (stopString !== undefined) return { stop_reason: "stop_sequence", stop_sequence: stopString } as const;
  const stop_reason = ({ stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" } as const)[finish];
  return { stop_reason, stop_sequence: null } as const;
}

/** What a request took. */
export function anthropicUsage(promptCount: number, cachedCount: number, outputCount: number) {
  return {
    input_tokens: promptCount - cachedCount,
    cache_creation_input_tokens: 0 as const,
    cache_read_input_tokens: cachedCount,
    output_tokens: outputCount,
  };
}
