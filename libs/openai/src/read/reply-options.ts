import { type Static, Type } from "typebox";
import { STOP_STRING_LENGTH_MAX, STOP_STRINGS_MAX, TOP_LOGPROBS_MAX } from "../limits.ts";
import type { GenerationQuery, ReplyOptions, ShownText } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS, UNNAMED } from "../schema/sentences.ts";

/** Shared with OpenAI's responses. */
export const obfuscationOption = {
  include_obfuscation: optional(
    Type.Boolean({
      description: "Fills events up, so that their lengths tell nothing of the text.",
      default: false,
    }),
  ),
};

const stopString = (named: object) => Type.String({ minLength: 1, maxLength: STOP_STRING_LENGTH_MAX, ...named });

/** Where an answer ends and how it is sent: the fields that all generating endpoints share. */
export const replyFields = {
  stop: optional(
    Type.Union(
      [
        stopString({ [SAYS]: "must be a string that is not empty, or a list of them" }),
        Type.Array(stopString({ [SAYS]: "must be a string that is not empty, or a list of them" }), {
          maxItems: STOP_STRINGS_MAX,
          [UNNAMED]: true,
        }),
      ],
      { description: "The answer ends before the first of these strings.", [SAYS]: "must be a list" },
    ),
  ),
  stream: optional(
    Type.Boolean({ description: "Sends the answer as server-sent events while it is made.", default: false }),
  ),
  stream_options: optional(
    Type.Object(
      {
        include_usage: optional(Type.Boolean({ description: "A last chunk has the usage.", default: false })),
        continuous_usage_stats: optional(
          Type.Boolean({
            description: "With `include_usage`: every chunk has its choice's usage so far.",
            default: false,
          }),
        ),
        ...obfuscationOption,
      },
      { description: "Only with `stream`." },
    ),
  ),
  include_stop_str_in_output: optional(
    Type.Boolean({ description: "The text ends with the stop string or token that ended it.", default: false }),
  ),
  skip_special_tokens: optional(
    Type.Boolean({ description: "When false, the text has the names of special tokens.", default: true }),
  ),
  spaces_between_special_tokens: optional(
    Type.Boolean({ description: "Taken and without effect: no spaces are put there." }),
  ),
  truncate_prompt_tokens: optional(
    Type.Integer({
      minimum: -1,
      description: "Of the prompt, so many of its last tokens are read; -1: as many as fit. Not with images.",
    }),
  ),
  prompt_logprobs: optional(
    Type.Integer({
      minimum: 0,
      maximum: TOP_LOGPROBS_MAX,
      description: "Gives the log-probability of each of the prompt's tokens, with so many of the likeliest.",
    }),
  ),
  return_token_ids: optional(
    Type.Boolean({ description: "Gives the token ids of the prompt and of each choice too.", default: false }),
  ),
};

const ReplyBody = Type.Object(replyFields);

/** The stop strings, as a list. */
export function readStop({ stop }: Static<typeof ReplyBody>): readonly string[] {
  if (stop === undefined || stop === null) return [];
  return typeof stop === "string" ? [stop] : stop;
}

/** Errors: `invalid_argument` for `stream_options` without `stream`. */
export function readReplyOptions(body: Static<typeof ReplyBody>): ReplyOptions {
  const stream = body.stream ?? false;
  const options = body.stream_options ?? undefined;
  if (options !== undefined && !stream) throw fieldError("stream_options", "is only allowed with stream");
  return {
    stream,
    includeUsage: options?.include_usage ?? false,
    ...(options?.include_usage === true && options.continuous_usage_stats === true && { continuousUsage: true }),
    ...(options?.include_obfuscation === true && { obfuscates: true }),
    returnTokenIds: body.return_token_ids ?? false,
    ...(typeof body.prompt_logprobs === "number" && { promptLogprobs: body.prompt_logprobs }),
  };
}

/** What the text shows besides; undefined for nothing. */
export function readShown(body: Static<typeof ReplyBody>): ShownText | undefined {
  const shown = { stop: body.include_stop_str_in_output === true, special: body.skip_special_tokens === false };
  return shown.stop || shown.special ? shown : undefined;
}

/** How many of the prompt's last tokens are read. Errors: `invalid_argument` for none. */
export function readPromptTokensKept({
  truncate_prompt_tokens: kept,
}: Static<typeof ReplyBody>): GenerationQuery["promptTokensKept"] {
  if (kept === 0) throw fieldError("truncate_prompt_tokens", "must be at least 1, or -1");
  return kept === -1 ? "fit" : (kept ?? undefined);
}
