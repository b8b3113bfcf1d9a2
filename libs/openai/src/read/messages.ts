import type { ChatMessage } from "@drover/chat";
import { type Static, Type } from "typebox";
import { MESSAGES_MAX, TOOLS_MAX } from "../limits.ts";
import type { ImageReference } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { LACKS, SAYS } from "../schema/sentences.ts";
import { Content, readContent } from "./content.ts";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
/** Of the interface before tools: a function's result. */
const OLD_ROLES = ["function"] as const;

const CALL_LACKS = "must have a name and arguments, both strings";

/** OpenAI's are text, which need not be JSON: models cut calls short, and agents keep what came. */
export const CallArguments = Type.Unknown({
  description:
    "A JSON object as text, or as it is. Other text, such as that of a call that was cut short, is shown to the model as it stands; absent is none.",
});

/** A call that the model has made before. */
const MessageToolCall = Type.Object({
  id: optional(Type.String()),
  function: optional(
    Type.Object({ name: Type.String(), arguments: Type.Optional(CallArguments) }, { [LACKS]: CALL_LACKS }),
  ),
  custom: optional(
    Type.Object(
      { name: Type.String(), input: Type.Optional(CallArguments) },
      {
        description:
          "In place of `function`: a call of another model's, whose input is text. It is read as that function's arguments.",
        [LACKS]: "must have a name and an input, both strings",
      },
    ),
  ),
});

const FunctionCall = Type.Object(
  { name: Type.String(), arguments: Type.Optional(CallArguments) },
  { description: "Superseded by `tool_calls`.", [LACKS]: "is not supported" },
);

/** One turn of a conversation. */
export const Message = Type.Object({
  role: Type.Enum([...ROLES, ...OLD_ROLES], {
    type: "string",
    description: "`developer` is read as `system`, and `function`, which `tool` has superseded, as that.",
    [SAYS]: `is unknown; the roles are ${ROLES.join(", ")}`,
  }),
  content: optional(Content),
  tool_calls: optional(
    Type.Array(MessageToolCall, { maxItems: TOOLS_MAX, description: "Of an assistant: what it has called." }),
  ),
  tool_call_id: optional(Type.String({ description: "Of a tool's answer: the call that it answers." })),
  name: optional(Type.String({ description: "For templates that write it." })),
  function_call: optional(FunctionCall),
  refusal: optional(Type.String({ description: "Of an assistant without content: what it said instead." })),
});

export const Messages = Type.Array(Message, {
  minItems: 1,
  maxItems: MESSAGES_MAX,
  description: "The conversation so far, rendered by the checkpoint's own template.",
});

/** Messages as templates take them, and the images that they name, in order. Errors: `invalid_argument` naming the field. */
export function readMessages(messages: Static<typeof Messages>): {
  messages: readonly ChatMessage[];
  images: readonly ImageReference[];
} {
  const images: ImageReference[] = [];
  return { messages: messages.map((message, i) => readMessage(message, `messages[${i}]`, images)), images };
}

function readMessage(message: Static<typeof Message>, field: string, images: ImageReference[]): ChatMessage {
  const { role, tool_call_id: callId, name } = message;
  const calls = callsOf(message, field);
  const content =
    message.content ?? message.refusal ?? (calls === undefined && MAY_SAY_NOTHING.includes(role) ? "" : null);
  if (content === null && calls === undefined) throw fieldError(`${field}.content`, "is required");
  return {
    role: TEMPLATE_ROLES[role] ?? role,
    content: content === null ? null : readContent(content, `${field}.content`, images),
    ...(calls !== undefined && { tool_calls: calls }),
    ...(typeof callId === "string" && { tool_call_id: callId }),
    ...(typeof name === "string" && { name }),
  };
}

/** A function may return nothing, and a model may have ended its turn at once: agents keep that as null, and send it from then on. */
const MAY_SAY_NOTHING: readonly string[] = ["assistant", "tool", "function"];

/** Roles that templates know by another name. */
const TEMPLATE_ROLES: Readonly<Record<string, string>> = { developer: "system", function: "tool" };

/** A call as a template takes it. */
type Call = Readonly<{ id: string; type: "function"; function: Readonly<{ name: string; arguments: unknown }> }>;

/** What a message calls, in whichever way it says so; undefined where it does not. Errors: `invalid_argument` for the older way of who cannot call, and for a call of nothing. */
function callsOf(message: Static<typeof Message>, field: string): readonly Call[] | undefined {
  const { role, tool_calls: calls, function_call: called } = message;
  const isOld = called !== undefined && called !== null;
  if (isOld && role !== "assistant") throw fieldError(`${field}.function_call`, "is not supported");
  if (calls === undefined || calls === null) return isOld ? [templateCall({ function: called })] : undefined;
  return calls.map((call, i) => {
    const { function: own, custom } = call;
    if ((own ?? custom ?? null) === null) throw fieldError(`${field}.tool_calls[${i}].function`, CALL_LACKS);
    return templateCall(call);
  });
}

/** Absent arguments are those of a function without parameters. */
function templateCall({ id, function: called, custom }: Static<typeof MessageToolCall>): Call {
  const name = called?.name ?? custom?.name ?? "";
  const written = called === undefined || called === null ? custom?.input : called.arguments;
  return { id: id ?? "", type: "function", function: { name, arguments: written ?? "" } };
}
