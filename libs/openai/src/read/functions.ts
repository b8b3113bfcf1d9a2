import { type Static, Type } from "typebox";
import { TOOLS_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";
import { type ToolBody, ToolFunction } from "./tools.ts";

const CALL_SAYS = "must be auto, none, or the name of a function";

/** What an answer may call, in the words that came before tools. */
export const functionFields = {
  functions: optional(
    Type.Array(ToolFunction, {
      maxItems: TOOLS_MAX,
      description: "The older form of `tools`: an answer has one call at most, as `function_call` of its message.",
    }),
  ),
  function_call: optional(
    Type.Union(
      [Type.Enum(["auto", "none"], { type: "string", [SAYS]: CALL_SAYS }), Type.Object({ name: Type.String() })],
      { description: 'The older form of `tool_choice`: `auto`, `none` or `{"name": ...}`.', [SAYS]: CALL_SAYS },
    ),
  ),
};

type FunctionBody = Static<ReturnType<typeof Type.Object<typeof functionFields>>>;

/** What a request says of its calls, and whether it is answered in the older words. */
export type ReadCalls = Readonly<{ calls: ToolBody; parallel: boolean | null | undefined; isOlder: boolean }>;

/** Functions as the tools that they are by now. Errors: `invalid_argument` for functions beside tools, and for a call without functions. */
export function readCalls(body: FunctionBody & ToolBody & { parallel_tool_calls?: boolean | null }): ReadCalls {
  const { functions, function_call: called, tools } = body;
  const isNamed = typeof called === "object" && called !== null;
  if (functions === undefined || functions === null || functions.length === 0) {
    if (isNamed) throw fieldError("function_call", "needs functions");
    return { calls: body, parallel: body.parallel_tool_calls, isOlder: false };
  }
  if ((tools ?? []).length > 0) throw fieldError("functions", "is not allowed beside tools");
  const calls: ToolBody = {
    tools: functions.map((described) => ({ type: "function", function: described })),
    tool_choice: isNamed ? { type: "function", function: called } : called,
    names: { tools: "functions", choice: "function_call", parameters: "parameters" },
  };
  return { calls, parallel: false, isOlder: true };
}
