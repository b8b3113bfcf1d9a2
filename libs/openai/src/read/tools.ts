import { type Static, Type } from "typebox";
import { TOOLS_MAX } from "../limits.ts";
import type { ToolCallRules } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
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

const CHOICE_SAYS = "is not supported except as auto or none: other values come with structured output";

/** Some of the tools, in OpenAI's two spellings; which of them are served is told with the tools. */
const AllowedTools = Type.Object(
  { type: Type.Optional(Type.Unknown()), mode: Type.Optional(Type.Unknown()), tools: Type.Optional(Type.Unknown()) },
  {
    description:
      '`{"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": ...}]}`: the model is told of these tools alone. The last two may lie in an `allowed_tools` of their own.',
  },
);

/** What an answer may call. */
export const toolFields = {
  tools: optional(Type.Array(Tool, { maxItems: TOOLS_MAX, description: "Functions that the model may call." })),
  tool_choice: optional(
    Type.Union([Type.Enum(["auto", "none"], { type: "string", [SAYS]: CHOICE_SAYS }), AllowedTools], {
      description: "With `none` the model is told of no tool, and nothing in its answer is a call.",
      [SAYS]: CHOICE_SAYS,
    }),
  ),
};

type Tools = readonly Static<typeof Tool>[];
type ToolBody = Readonly<{ tools?: Tools | null; tool_choice?: unknown }>;

/** Errors: `invalid_argument` for a choice that is not served. */
export function checkToolChoice({ tool_choice: choice }: ToolBody): void {
  if (typeof choice !== "object" || choice === null) return;
  const allowed = allowedOf(choice);
  if (allowed === undefined || allowed.mode !== "auto") throw fieldError("tool_choice", CHOICE_SAYS);
  if (!Array.isArray(allowed.tools)) throw fieldError("tool_choice", "must have a list of tools");
}

/** The tools that the template is told of, number by number as the client wrote them; undefined where there are none. Errors: `invalid_argument` for a choice of what is no tool. */
export function readTools({ tools, tool_choice: choice }: ToolBody): Tools | undefined {
  if (choice === "none") return undefined;
  const all = tools ?? [];
  const allowed = typeof choice === "object" && choice !== null ? allowedOf(choice)?.tools : undefined;
  const told = Array.isArray(allowed) ? chosenTools(allowed, all) : all;
  return told.length === 0 ? undefined : told;
}

/** What of an answer is a call; undefined where nothing is. */
export function readToolCallRules(body: ToolBody, parallel: boolean | null | undefined): ToolCallRules | undefined {
  const tools = readTools(body);
  return tools && { names: tools.map(({ function: { name } }) => name), parallel: parallel ?? true };
}

/** What a choice of type `allowed_tools` says, in either spelling; undefined for another one. */
function allowedOf(choice: object): Readonly<{ mode?: unknown; tools?: unknown }> | undefined {
  if (!("type" in choice) || choice.type !== "allowed_tools") return undefined;
  const within = "allowed_tools" in choice ? choice.allowed_tools : choice;
  return typeof within === "object" && within !== null ? within : {};
}

/** Those of the tools that are named, in the order in which they were described. */
function chosenTools(chosen: readonly unknown[], tools: Tools): Tools {
  const described = new Set<unknown>(tools.map(({ function: { name } }) => name));
  const names = chosen.map(nameOf);
  for (const [i, name] of names.entries())
    if (!described.has(name))
      throw fieldError("tool_choice", `must name functions of tools, and its tool ${i} is none`);
  return tools.filter(({ function: { name } }) => names.includes(name));
}

/** Of `{"type": "function", "name": ...}`, or with the name in a `function`, as tools have it. */
function nameOf(tool: unknown): unknown {
  if (typeof tool !== "object" || tool === null) return undefined;
  if ("function" in tool) return nameOf(tool.function);
  return "name" in tool ? tool.name : undefined;
}
