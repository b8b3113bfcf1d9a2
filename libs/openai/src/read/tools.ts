import { type Static, Type } from "typebox";
import { TOOLS_MAX } from "../limits.ts";
import type { ToolCallRules } from "../request/generation-query.ts";
import { optional } from "../schema/fields.ts";
import { LACKS, SAYS } from "../schema/sentences.ts";

/** A function that the model may call. */
export const Tool = Type.Object({
  type: optional(Type.Literal("function", { [SAYS]: "must be function" })),
  function: Type.Object(
    {
      name: Type.String(),
      description: optional(Type.Unknown({ description: "What it does, as the template writes it." })),
      parameters: optional(
        Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the arguments." }),
      ),
    },
    { [LACKS]: "must have a name" },
  ),
});

/** What an answer may call. */
export const toolFields = {
  tools: optional(Type.Array(Tool, { maxItems: TOOLS_MAX, description: "Functions that the model may call." })),
  tool_choice: optional(
    Type.Enum(["auto", "none"], {
      description: "With `none` the model is told of no tool, and nothing in its answer is a call.",
      [SAYS]: "is not supported except as auto or none: other values come with structured output",
    }),
  ),
};

/** Of `tool_choice` only `none` matters here. */
type ToolBody = Readonly<{ tools?: Static<typeof toolFields.tools> | null; tool_choice?: unknown }>;

/** The tools that the template is told of, number by number as the client wrote them; undefined where there are none. */
export function readTools({ tools, tool_choice: choice }: ToolBody) {
  return tools === undefined || tools === null || tools.length === 0 || choice === "none" ? undefined : tools;
}

/** What of an answer is a call; undefined where nothing is. */
export function readToolCallRules(body: ToolBody, parallel: boolean | null | undefined): ToolCallRules | undefined {
  const tools = readTools(body);
  return tools && { names: tools.map(({ function: { name } }) => name), parallel: parallel ?? true };
}
