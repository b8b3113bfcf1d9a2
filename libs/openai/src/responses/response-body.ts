import { type Static, Type } from "typebox";
import { MESSAGES_MAX, TOOLS_MAX, TOP_LOGPROBS_MAX } from "../limits.ts";
import { ImageUrl } from "../read/content.ts";
import { CallArguments } from "../read/messages.ts";
import { obfuscationOption } from "../read/reply-options.ts";
import { modelField } from "../read/served-model.ts";
import { toolFields } from "../read/tools.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";

const textPart = <T extends "input_text" | "output_text" | "text">(type: T) =>
  Type.Object({ type: Type.Literal(type), text: Type.String() });

const imagePart = <T extends "input_image" | "image_url">(type: T) =>
  Type.Object({
    type: Type.Literal(type),
    image_url: ImageUrl,
    detail: optional(Type.String({ description: "Taken and without effect." })),
  });

const parts = [
  textPart("input_text"),
  textPart("output_text"),
  textPart("text"),
  Type.Object({ type: Type.Literal("refusal"), refusal: Type.String() }),
  imagePart("input_image"),
  imagePart("image_url"),
  Type.Object({
    type: Type.Literal("input_file"),
    filename: optional(Type.String({ description: "Stands before the text." })),
    file_data: Type.String({
      description: "`data:text/...;base64,...`: a text in UTF-8, which is read as the part's.",
    }),
  }),
] as const;

const Parts = Type.Union(
  [
    Type.String(),
    Type.Array(
      Type.Union([...parts], {
        discriminator: { propertyName: "type" },
        [SAYS]: "is not supported: a part must be input_text, output_text, refusal, input_image or input_file",
      }),
    ),
  ],
  { [SAYS]: "must be a string or a list of parts" },
);

const ROLES = ["system", "developer", "user", "assistant"] as const;

const Item = Type.Union(
  [
    Type.Object({
      type: Type.Literal("message"),
      role: Type.Enum([...ROLES], {
        type: "string",
        [SAYS]: `is unknown; the roles are ${ROLES.join(", ")}`,
      }),
      content: Parts,
    }),
    Type.Object({
      type: Type.Literal("function_call"),
      call_id: Type.String(),
      name: Type.String(),
      arguments: Type.Optional(CallArguments),
    }),
    Type.Object({ type: Type.Literal("function_call_output"), call_id: Type.String(), output: optional(Parts) }),
    Type.Object({
      type: Type.Literal("custom_tool_call"),
      call_id: Type.String(),
      name: Type.String(),
      input: Type.Optional(CallArguments),
    }),
    Type.Object({ type: Type.Literal("custom_tool_call_output"), call_id: Type.String(), output: optional(Parts) }),
    Type.Object({ type: Type.Literal("reasoning") }),
  ],
  {
    discriminator: { propertyName: "type" },
    description:
      "A message without a `type` is one too. Custom calls, of another model's, are read as those of functions.",
    [SAYS]: "is not supported: an item must be message, function_call or function_call_output",
  },
);
export type ResponseItem = Static<typeof Item>;
export type ResponseParts = Static<typeof Parts>;

const FunctionTool = Type.Union(
  [
    Type.Object({
      type: Type.Literal("function"),
      name: Type.String({ minLength: 1 }),
      description: optional(Type.String()),
      parameters: optional(
        Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the arguments." }),
      ),
      strict: optional(Type.Boolean()),
    }),
  ],
  { discriminator: { propertyName: "type" }, [SAYS]: "is not supported: a tool must be function" },
);

const Format = Type.Union(
  [
    Type.Object({ type: Type.Literal("text") }),
    Type.Object({ type: Type.Literal("json_object") }),
    Type.Object({
      type: Type.Literal("json_schema"),
      name: optional(Type.String()),
      description: optional(Type.String()),
      schema: Type.Unknown({ description: "The JSON Schema that the answer matches." }),
      strict: optional(Type.Boolean({ description: "Taken and without effect: every schema is enforced." })),
    }),
  ],
  {
    discriminator: { propertyName: "type" },
    description: "The answer is free, any JSON object, or matches a JSON Schema.",
    [SAYS]: "is not supported: a format must be text, json_object or json_schema",
  },
);

/** The answer of `POST /v1/responses/input_tokens`. */
export const ResponseInputTokens = Type.Object({
  object: Type.Literal("response.input_tokens"),
  input_tokens: Type.Integer(),
});

/** The body of `POST /v1/responses`. */
export const ResponseBody = Type.Object({
  model: modelField,
  input: Type.Union([Type.String(), Type.Array(Item, { maxItems: MESSAGES_MAX })], {
    description:
      "What the user says, or the items of a conversation; may be empty or absent beside `previous_response_id`.",
    [SAYS]: "must be a string or a list of items",
  }),
  instructions: optional(Type.String({ description: "What the system says; not kept for the next turn." })),
  previous_response_id: optional(
    Type.String({ description: "The conversation goes on behind this answer, which must still be kept." }),
  ),
  store: optional(
    Type.Boolean({ description: "Keeps the conversation for `previous_response_id`, for a while.", default: true }),
  ),
  max_output_tokens: optional(
    Type.Integer({ minimum: 1, description: "As many as fit, or the checkpoint's own, when absent." }),
  ),
  temperature: optional(Type.Number({ minimum: 0, maximum: 2, description: "The checkpoint's own when absent." })),
  top_p: optional(Type.Number({ minimum: 0, maximum: 1, description: "The checkpoint's own when absent." })),
  top_logprobs: optional(
    Type.Integer({
      minimum: 0,
      maximum: TOP_LOGPROBS_MAX,
      description: "So many of the likeliest tokens beside each; with `include` of `message.output_text.logprobs`.",
    }),
  ),
  include: optional(Type.Array(Type.String(), { description: "Only `message.output_text.logprobs` has an effect." })),
  tools: optional(Type.Array(FunctionTool, { maxItems: TOOLS_MAX, description: "Functions that the model may call." })),
  tool_choice: toolFields.tool_choice,
  parallel_tool_calls: optional(
    Type.Boolean({ description: "When false, an answer has at most one call.", default: true }),
  ),
  text: optional(
    Type.Object({
      format: optional(Format),
    }),
  ),
  stream: optional(Type.Boolean({ description: "Sends the answer as events while it is made.", default: false })),
  stream_options: optional(Type.Object(obfuscationOption, { description: "Only with `stream`." })),
  truncation: optional(
    Type.Enum(["auto", "disabled"], {
      type: "string",
      description:
        "With `auto`, of a conversation that does not fit the last tokens are read that do. Not with images.",
      default: "disabled",
      [SAYS]: "must be auto or disabled",
    }),
  ),
  background: optional(
    Type.Boolean({
      description:
        "Answers at once, with an id by which the response is asked for until it has ended. Not without `store`.",
      default: false,
    }),
  ),
  conversation: Type.Optional(Type.Null({ [SAYS]: "is not supported: use previous_response_id" })),
  prompt: Type.Optional(Type.Null({ [SAYS]: "is not supported: send the prompt's text as input" })),
  metadata: optional(Type.Record(Type.String(), Type.String(), { description: "Given back as it came." })),
});
export type ResponseBody = Static<typeof ResponseBody>;

/** The body of `POST /v1/responses/input_tokens`: the same, of which only what the prompt is made from has an effect. */
export const ResponseCountBody = Type.Object({
  model: optional(Type.String({ description: "The first one when absent." })),
  input: ResponseBody.properties.input,
  instructions: ResponseBody.properties.instructions,
  previous_response_id: ResponseBody.properties.previous_response_id,
  tools: ResponseBody.properties.tools,
  tool_choice: ResponseBody.properties.tool_choice,
});
