import { COMPLETION_TOKENS_DEFAULT, TOP_LOGPROBS_MAX } from "../limits.ts";
import type { ServedModel } from "../served-model.ts";
import { requireModel } from "./chat-request.ts";
import { Fields } from "./fields.ts";
import type { InferenceRequest, ReplyOptions } from "./inference-request.ts";
import type { RequestContext } from "./request-context.ts";
import { fitTokens, readSampling, readStop, readStream } from "./sampling-fields.ts";
import { refuseUnsupported } from "./unsupported-fields.ts";

/** The body of POST /v1/completions, validated and tokenized. Errors: `invalid_argument`, `model_not_found`, `context_length_exceeded`, naming the field. */
export async function readCompletionRequest(
  value: unknown,
  model: ServedModel,
  context: RequestContext,
): Promise<{ request: InferenceRequest; reply: ReplyOptions }> {
  const body = new Fields(value);
  requireModel(body, model);
  const shared = readSampling(body, model, context.drawnSeed);
  refuseUnsupported(body, shared.n);
  const topLogprobs = body.integer("logprobs", { min: 0, max: TOP_LOGPROBS_MAX }) ?? -1;
  const echo = body.boolean("echo") ?? false;
  const stop = readStop(body);
  const stream = readStream(body);
  const returnTokenIds = body.boolean("return_token_ids") ?? false;
  const asked = body.integer("max_tokens", { min: 0 });
  const { ids: promptTokenIds, text } = await encodePrompt(body, model, context);
  const maxTokens = fitTokens({
    asked,
    askedField: "max_tokens",
    fallback: COMPLETION_TOKENS_DEFAULT,
    promptTokenCount: promptTokenIds.length,
    promptField: "prompt",
    contextTokensMax: context.contextTokensMax,
  });
  if (shared.minTokens > maxTokens) body.fail("min_tokens", "must be at most max_tokens");
  return {
    request: {
      promptTokenIds,
      images: [],
      toolCalls: undefined,
      echoText: echo ? (text ?? model.tokenizer.decode(Array.from(promptTokenIds))) : undefined,
      stop,
      sampling: { ...shared, maxTokens, topLogprobs, promptTopLogprobs: echo ? topLogprobs : -1 },
    },
    reply: { ...stream, returnTokenIds },
  };
}

/** `prompt`: a string, which begins with the model's begin token unless `add_special_tokens` is false, or token ids as they are. */
export async function encodePrompt(
  body: Fields,
  model: ServedModel,
  { contextTokensMax, signal }: Pick<RequestContext, "contextTokensMax" | "signal">,
): Promise<{ ids: Uint32Array; text: string | undefined }> {
  const raw = body.raw("prompt");
  if (raw === undefined) body.fail("prompt", "is required");
  if (Array.isArray(raw)) {
    if (raw.length > 0 && raw.every((entry) => typeof entry === "string" || Array.isArray(entry)))
      body.fail("prompt", "may hold only one prompt: a string or a list of token ids");
    if (raw.length === 0) body.fail("prompt", "must not be empty");
    // Counted before the ids are looked at, so that a prompt far too long says so.
    const count = raw.length;
    if (count > contextTokensMax)
      fitTokens({
        asked: 0,
        askedField: "max_tokens",
        fallback: 0,
        promptTokenCount: count,
        promptField: "prompt",
        contextTokensMax,
      });
    return { ids: Uint32Array.from(body.tokenIds("prompt", model.config.vocabSize, count) ?? []), text: undefined };
  }
  if (typeof raw !== "string") body.fail("prompt", "must be a string or a list of token ids");
  const text = body.text("prompt") ?? "";
  const bos = (body.boolean("add_special_tokens") ?? true) ? model.generation.bosTokenId : undefined;
  const encoded = await model.prompts.encodeText(text, signal);
  const ids = bos === undefined ? encoded : withFirst(bos, encoded);
  if (ids.length === 0) body.fail("prompt", "must not be empty");
  return { ids, text };
}

function withFirst(first: number, rest: Uint32Array): Uint32Array {
  const ids = new Uint32Array(rest.length + 1);
  ids[0] = first;
  ids.set(rest, 1);
  return ids;
}
