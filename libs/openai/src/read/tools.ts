import { type CallableTool, type CallStyle, strictToolGrammar, toolCallGrammar } from "@drover/grammar";
import { type Static, Type } from "typebox";
import { TOOLS_MAX } from "../limits.ts";
import type { Constraint, ToolCallRules } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { LACKS, SAYS } from "../schema/sentences.ts";

/** What a template and a grammar are told of a function. */
export const ToolFunction = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    description: optional(Type.Unknown({ description: "What it does, as the template writes it." })),
    parameters: optional(Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the arguments." })),
    strict: optional(
      Type.Boolean({
        description: "Arguments match the schema whenever the function is called, also where the model decides.",
        default: false,
      }),
    ),
  },
  { [LACKS]: "must have a name" },
);

/** A function that the model may call. */
export const Tool = Type.Object({
  type: optional(Type.Literal("function", { [SAYS]: "must be function" })),
  function: ToolFunction,
});

const CHOICE_SAYS = "must be auto, none, required, a function, or some allowed tools";

/** A function, or some of the tools, in OpenAI's two spellings; what is served of them is told with the tools. */
const ChosenTools = Type.Object(
  { type: Type.Optional(Type.Unknown()), mode: Type.Optional(Type.Unknown()), tools: Type.Optional(Type.Unknown()) },
  {
    description:
      '`{"type": "function", "function": {"name": ...}}`: the answer is one call of this function. `{"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": ...}]}`: the model is told of these tools alone, and with the mode `required` it calls one of them. The last two may lie in an `allowed_tools` of their own.',
  },
);

/** What an answer may call. */
export const toolFields = {
  tools: optional(Type.Array(Tool, { maxItems: TOOLS_MAX, description: "Functions that the model may call." })),
  tool_choice: optional(
    Type.Union([Type.Enum(["auto", "none", "required"], { type: "string", [SAYS]: CHOICE_SAYS }), ChosenTools], {
      description:
        "With `none` the model is told of no tool, and nothing in its answer is a call. With `required` the answer is calls.",
      [SAYS]: CHOICE_SAYS,
    }),
  ),
};

type Tools = readonly Static<typeof Tool>[];

/** What an interface calls its tools, the choice among them, and within a tool the schema of its arguments. */
export type ToolNames = Readonly<{ tools: string; choice: string; parameters: string }>;

export const TOOL_NAMES: ToolNames = { tools: "tools", choice: "tool_choice", parameters: "function.parameters" };

/** What a request says of its tools, in the shape of a chat completion. `names`: those that errors are to have. */
export type ToolBody = Readonly<{ tools?: Tools | null; tool_choice?: unknown; names?: ToolNames }>;

/** How an answer may call: several functions where `parallel` is not false, in the style that the model has learned. */
type WrittenCalls = Readonly<{ parallel: boolean | null | undefined; style: CallStyle }>;

/** Errors: `invalid_argument` for a choice that is none, or of what is no tool. */
export function checkToolChoice(body: ToolBody): void {
  const { tool_choice: choice } = body;
  if (choice === "required" && readTools(body) === undefined) throw fieldError("tool_choice", "needs tools");
  if (typeof choice !== "object" || choice === null) return;
  if (namedTool(body) !== undefined) return;
  const allowed = allowedOf(choice);
  if (allowed === undefined || (allowed.mode !== "auto" && allowed.mode !== "required"))
    throw fieldError("tool_choice", CHOICE_SAYS);
  if (!Array.isArray(allowed.tools)) throw fieldError("tool_choice", "must have a list of tools");
  if (allowed.mode === "required" && readTools(body) === undefined) throw fieldError("tool_choice", "needs tools");
}

/**
 * What an answer that calls must match, where `isWhole` says that calls are all of it; else what one matches that may call strict tools,
 * undefined where none is strict. Errors: `invalid_argument`, naming the place in a tool's schema that cannot be enforced.
 */
export function readCallConstraint(
  body: ToolBody,
  { parallel, style }: WrittenCalls,
  isWhole: boolean,
): Constraint | undefined {
  const told = readTools(body);
  if (told === undefined) return undefined;
  const { tools: toolsField, choice: field } = body.names ?? TOOL_NAMES;
  const named = namedTool(body);
  if (named !== undefined)
    return { grammar: toolCallGrammar({ tools: [callable(named, body)], isParallel: false, style }, field), field };
  const tools = told.map((tool) => callable(tool, body));
  const isParallel = parallel ?? true;
  if (isWhole) return { grammar: toolCallGrammar({ tools, isParallel, style }, field), field };
  if (!told.some(({ function: { strict } }) => strict === true)) return undefined;
  const strict = tools.map((tool, i) =>
    told[i]?.function.strict === true ? tool : { ...tool, parameters: undefined },
  );
  return { grammar: strictToolGrammar({ tools: strict, isParallel, style }, toolsField), field: toolsField };
}

function callable(tool: Tools[number], { tools, names = TOOL_NAMES }: ToolBody): CallableTool {
  const { name, parameters } = tool.function;
  return {
    name,
    parameters: hasParameters(parameters) ? parameters : NO_PARAMETERS,
    field: `${names.tools}[${(tools ?? []).indexOf(tool)}].${names.parameters}`,
  };
}

/** What a function without parameters is called with. */
const NO_PARAMETERS = { type: "object", properties: {}, additionalProperties: false };
/** Keywords of a schema that names no parameter. */
const NAMELESS = ["type", "title", "description", "$schema"];

/**
 * Whether a schema names any: none, an empty one, or one of no properties is a function's without parameters, as OpenAI, LangChain and MCP write it.
 * A grammar of any object would have the model make some up.
 */
function hasParameters(schema: Readonly<Record<string, unknown>> | null | undefined): boolean {
  if (schema === undefined || schema === null || Object.keys(schema).length === 0) return false;
  const { properties, required, ...others } = schema;
  if (Array.isArray(required) && required.length > 0) return true;
  const namesNone = typeof properties === "object" && properties !== null && Object.keys(properties).length === 0;
  return !namesNone || Object.keys(others).some((name) => !NAMELESS.includes(name));
}

/** Whether an answer without a call is no answer. Errors: `invalid_argument` for a choice of what is no tool. */
export function mustCall(body: ToolBody): boolean {
  const { tool_choice: choice } = body;
  if (choice === "required" || namedTool(body) !== undefined) return true;
  return typeof choice === "object" && choice !== null && allowedOf(choice)?.mode === "required";
}

/** The one tool that is to be called; undefined where none is named. Errors: `invalid_argument` for one that is not described. */
function namedTool({ tools, tool_choice: choice, names = TOOL_NAMES }: ToolBody): Tools[number] | undefined {
  if (typeof choice !== "object" || choice === null || !isFunction(choice)) return undefined;
  const name = nameOf(choice);
  const found = (tools ?? []).find((tool) => tool.function.name === name);
  if (found === undefined) throw fieldError(names.choice, `must name a function of ${names.tools}`);
  return found;
}

/** Other servers let the type be left out beside a function. */
function isFunction(choice: object): boolean {
  if ("type" in choice && choice.type !== undefined && choice.type !== null) return choice.type === "function";
  return "function" in choice;
}

/** The tools that the template is told of, number by number as the client wrote them; undefined where there are none. Errors: `invalid_argument` for a choice of what is no tool. */
export function readTools({ tools, tool_choice: choice }: ToolBody): Tools | undefined {
  if (choice === "none") return undefined;
  const all = tools ?? [];
  const allowed = typeof choice === "object" && choice !== null ? allowedOf(choice)?.tools : undefined;
  const told = Array.isArray(allowed) ? chosenTools(allowed, all) : all;
  return told.length === 0 ? undefined : told;
}

/** The tools that a template is told of, with what tells the model something alone; undefined where there are none. Errors: as {@link readTools}. */
export function readTemplateTools(body: ToolBody) {
  return readTools(body)?.map(({ function: { name, description, parameters } }) => ({
    type: "function" as const,
    function: {
      name,
      ...(typeof description === "string" && { description }),
      ...(parameters !== undefined && parameters !== null && { parameters }),
    },
  }));
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
