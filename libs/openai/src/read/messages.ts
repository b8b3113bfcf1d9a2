import type { ChatMessage } from "@drover/chat";
import { type Static, Type } from "typebox";
import { MESSAGES_MAX, TOOLS_MAX } from "../limits.ts";
import type { ImageReference } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { LACKS, SAYS } from "../schema/sentences.ts";
import { Content, readContent } from "./content.ts";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

const CALL_LACKS = "must have a name and arguments, both strings";

/** A call that the model has made before. */
const MessageToolCall = Type.Object({
  id: optional(Type.String()),
  function: Type.Object(
    { name: Type.String(), arguments: Type.String({ description: "A JSON object, as text." }) },
    { [LACKS]: CALL_LACKS },
  ),
});

/** One turn of a conversation. */
export const Message = Type.Object({
  role: Type.Enum([...ROLES], {
    type: "string",
    description: "`developer` is read as `system`.",
    [SAYS]: `is unknown; the roles are ${ROLES.join(", ")}`,
  }),
  content: optional(Content),
  tool_calls: optional(
    Type.Array(MessageToolCall, { maxItems: TOOLS_MAX, description: "Of an assistant: what it has called." }),
  ),
  tool_call_id: optional(Type.String({ description: "Of a tool's answer: the call that it answers." })),
  name: optional(Type.String({ description: "For templates that write it." })),
  function_call: Type.Optional(Type.Null({ description: "Superseded by `tool_calls`." })),
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
  const { role, content, tool_calls: calls, tool_call_id: callId, name } = message;
  const isSilent = content === undefined || content === null;
  const isCalling = calls !== undefined && calls !== null;
  if (isSilent && !isCalling) throw fieldError(`${field}.content`, "is required");
  return {
    role: role === "developer" ? "system" : role,
    content: isSilent ? null : readContent(content, `${field}.content`, images),
    ...(isCalling && { tool_calls: calls.map(templateCall) }),
    ...(typeof callId === "string" && { tool_call_id: callId }),
    ...(typeof name === "string" && { name }),
  };
}

function templateCall({ id, function: called }: Static<typeof MessageToolCall>) {
  return { id: id ?? "", type: "function", function: { name: called.name, arguments: called.arguments } };
}
