import { parseExactJson } from "@drover/chat";
import { DroverError } from "@drover/core";
import type { publicApi } from "@drover/proto";

type Json = Record<string, unknown>;

/** The HTTP body that means the same, so that both interfaces share one set of validators. Errors: `invalid_argument` for tools that are not JSON. */
export function chatBody(request: publicApi.ChatRequest): Json {
  const { options } = request;
  return {
    ...shared(request.model, options),
    messages: request.messages.map((message) => ({
      role: message.role,
      content: message.parts.length > 0 ? message.parts.map(part) : message.content,
      ...(message.toolCalls.length === 0
        ? {}
        : {
            tool_calls: message.toolCalls.map((call) => ({
              id: call.id,
              type: "function",
              function: { name: call.function?.name, arguments: call.function?.arguments },
            })),
          }),
      ...(message.toolCallId === "" ? {} : { tool_call_id: message.toolCallId }),
    })),
    tools: request.tools.map(tool),
    tool_choice: request.toolChoice === "" ? undefined : request.toolChoice,
    parallel_tool_calls: request.parallelToolCalls,
    logprobs: options?.topLogprobs !== undefined,
    top_logprobs: options?.topLogprobs,
  };
}

/** See {@link chatBody}. */
export function generateBody(request: publicApi.GenerateRequest): Json {
  const { prompt, options } = request;
  return {
    ...shared(request.model, options),
    prompt: prompt.case === "tokenIds" ? prompt.value.ids : prompt.value,
    echo: request.echo,
    logprobs: options?.topLogprobs,
  };
}

function shared(model: string, options: publicApi.SamplingOptions | undefined): Json {
  return {
    model: model === "" ? undefined : model,
    temperature: options?.temperature,
    top_p: options?.topP,
    top_k: options?.topK,
    min_p: options?.minP,
    repetition_penalty: options?.repetitionPenalty,
    presence_penalty: options?.presencePenalty,
    frequency_penalty: options?.frequencyPenalty,
    logit_bias: options?.logitBias,
    // Any unsigned seed is as good as another: the upper bits that a double cannot hold are dropped.
    seed: options?.seed === undefined ? undefined : Number(BigInt.asUintN(53, options.seed)),
    stop: options?.stop,
    stop_token_ids: options?.stopTokenIds,
    max_tokens: options?.maxTokens,
    min_tokens: options?.minTokens,
    n: options?.n,
    ignore_eos: options?.ignoreEos,
    return_routed_experts: options?.returnRoutedExperts,
    return_token_ids: true,
    stream: true,
  };
}

function part({ part: value }: publicApi.ContentPart): Json {
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
