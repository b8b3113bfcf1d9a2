import { type Static, Type } from "typebox";
import { STOP_STRING_LENGTH_MAX, STOP_STRINGS_MAX } from "../limits.ts";
import type { ReplyOptions } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS, UNNAMED } from "../schema/sentences.ts";

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
      },
      { description: "Only with `stream`." },
    ),
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
    returnTokenIds: body.return_token_ids ?? false,
  };
}
