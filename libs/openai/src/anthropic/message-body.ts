import { type Static, Type } from "typebox";
import { MESSAGES_MAX, STOP_STRING_LENGTH_MAX, STOP_STRINGS_MAX, TOOLS_MAX } from "../limits.ts";
import { modelField } from "../read/served-model.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";

const TextBlock = Type.Object({ type: Type.Literal("text"), text: Type.String() });

const ImageSource = Type.Union(
  [
    Type.Object({ type: Type.Literal("base64"), media_type: Type.String(), data: Type.String() }),
    Type.Object({ type: Type.Literal("url"), url: Type.String() }),
  ],
  { discriminator: { propertyName: "type" }, [SAYS]: "is not supported: an image's source must be base64 or url" },
);

const ImageBlock = Type.Object({ type: Type.Literal("image"), source: ImageSource });

const Texts = Type.Union([Type.String(), Type.Array(TextBlock)], {
  [SAYS]: "must be a string or a list of text blocks",
});

const DocumentBlock = Type.Object({
  type: Type.Literal("document"),
  title: optional(Type.String()),
  context: optional(Type.String()),
  source: Type.Union(
    [
      Type.Object({ type: Type.Literal("text"), data: Type.String() }),
      Type.Object({ type: Type.Literal("content"), content: Texts }),
    ],
    {
      discriminator: { propertyName: "type" },
      description: "Text: the model reads it as such, behind its title and context.",
      [SAYS]: "is not supported: a document's source must be text or content",
    },
  ),
});

const SearchResultBlock = Type.Object({
  type: Type.Literal("search_result"),
  source: Type.String(),
  title: Type.String(),
  content: Type.Array(TextBlock, { description: "Read as text, behind its title and source." }),
});

const ToolUseBlock = Type.Object({
  type: Type.Literal("tool_use"),
  id: Type.String(),
  name: Type.String(),
  input: Type.Optional(
    Type.Unknown({
      description:
        "The call's arguments, an object. Text, such as that of a call that was cut short, is shown to the model as it stands; absent is none.",
    }),
  ),
});

const ResultContent = Type.Union(
  [
    Type.String(),
    Type.Array(
      Type.Union([TextBlock, ImageBlock, DocumentBlock, SearchResultBlock], {
        discriminator: { propertyName: "type" },
        [SAYS]: "is not supported: a tool's result must be text, image, document or search_result",
      }),
    ),
  ],
  { [SAYS]: "must be a string or a list of blocks" },
);

const ToolResultBlock = Type.Object({
  type: Type.Literal("tool_result"),
  tool_use_id: Type.String(),
  content: optional(ResultContent),
  is_error: optional(Type.Boolean()),
});

/** What a model has thought: clients send it back, and templates have no place for it. */
const thoughtBlock = <T extends "thinking" | "redacted_thinking">(type: T) => Type.Object({ type: Type.Literal(type) });

const Block = Type.Union(
  [
    TextBlock,
    ImageBlock,
    DocumentBlock,
    SearchResultBlock,
    ToolUseBlock,
    ToolResultBlock,
    thoughtBlock("thinking"),
    thoughtBlock("redacted_thinking"),
  ],
  {
    discriminator: { propertyName: "type" },
    [SAYS]: "is not supported: a block must be text, image, document, search_result, tool_use or tool_result",
  },
);

/** One turn of a conversation, in Anthropic's shape. */
export const AnthropicMessage = Type.Object({
  role: Type.Enum(["user", "assistant"], {
    type: "string",
    [SAYS]: "is unknown; the roles are user and assistant, and what the system says is in `system`",
  }),
  content: Type.Union([Type.String(), Type.Array(Block)], {
    description: "Text, or a list of text, images, calls and their results.",
    [SAYS]: "must be a string or a list of blocks",
  }),
});
export type AnthropicMessage = Static<typeof AnthropicMessage>;
export type AnthropicBlock = Static<typeof Block>;
/** What a turn or a tool's result says. */
export type AnthropicSaid = Extract<AnthropicBlock, { type: "text" | "image" | "document" | "search_result" }>;

const AnthropicTool = Type.Object({
  type: optional(Type.Literal("custom", { [SAYS]: "is not supported: a tool must be custom, a function of yours" })),
  name: Type.String({ minLength: 1 }),
  description: optional(Type.String()),
  strict: optional(
    Type.Boolean({
      description: "Arguments match the schema whenever the tool is called, also where the model decides.",
      default: false,
    }),
  ),
  input_schema: Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the arguments." }),
});

const JsonFormat = Type.Object({
  type: Type.Literal("json_schema", { [SAYS]: "is not supported except as json_schema" }),
  schema: Type.Record(Type.String(), Type.Unknown(), { description: "The JSON Schema that the answer matches." }),
});

const ToolChoice = Type.Object({
  type: Type.Enum(["auto", "any", "tool", "none"], {
    description:
      "With `none` the model is told of no tool; with `any` the answer is calls, and with `tool` one call of the tool that is named.",
    [SAYS]: "must be auto, any, tool or none",
  }),
  name: optional(Type.String({ description: "Of `tool`: which one." })),
  disable_parallel_tool_use: optional(Type.Boolean({ description: "An answer has at most one call.", default: false })),
});

/** What is counted, and what an answer is made of besides. */
const anthropicPromptFields = {
  model: modelField,
  messages: Type.Array(AnthropicMessage, {
    minItems: 1,
    maxItems: MESSAGES_MAX,
    description:
      "The conversation so far. Where the last turn is the assistant's and has text, the answer goes on with it.",
  }),
  system: optional(Texts),
  tools: optional(
    Type.Array(AnthropicTool, { maxItems: TOOLS_MAX, description: "Functions that the model may call." }),
  ),
  tool_choice: optional(ToolChoice),
  thinking: optional(Type.Unknown({ description: "Taken and without effect: the model does not think apart." })),
};

/** The body of `POST /v1/messages`. */
export const AnthropicBody = Type.Object({
  ...anthropicPromptFields,
  max_tokens: Type.Integer({ minimum: 1, description: "Tokens that may be generated." }),
  temperature: optional(Type.Number({ minimum: 0, maximum: 2, description: "The checkpoint's own when absent." })),
  top_p: optional(Type.Number({ minimum: 0, maximum: 1, description: "The checkpoint's own when absent." })),
  top_k: optional(Type.Integer({ minimum: -1, description: "0 and -1 keep all. The checkpoint's own when absent." })),
  stop_sequences: optional(
    Type.Array(Type.String({ minLength: 1, maxLength: STOP_STRING_LENGTH_MAX }), {
      maxItems: STOP_STRINGS_MAX,
      description: "The answer ends before the first of these strings.",
    }),
  ),
  stream: optional(Type.Boolean({ description: "Sends the answer as events while it is made.", default: false })),
  output_config: optional(
    Type.Object({
      format: optional(JsonFormat),
      effort: optional(Type.Unknown({ description: "Taken and without effect." })),
    }),
  ),
  output_format: optional(JsonFormat),
  metadata: optional(Type.Unknown({ description: "Taken and without effect." })),
  service_tier: optional(Type.Unknown({ description: "Taken and without effect." })),
});
export type AnthropicBody = Static<typeof AnthropicBody>;

/** The body of `POST /v1/messages/count_tokens`. */
export const AnthropicCountBody = Type.Object(anthropicPromptFields);
export type AnthropicCountBody = Static<typeof AnthropicCountBody>;
