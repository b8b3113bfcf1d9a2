import { eitherGrammar } from "@drover/grammar";
import type { Constraint } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { mustCall, readCallConstraint, type ToolBody } from "./tools.ts";

/**
 * What an answer must match, by what it is asked to match and what it may call: calls that must come are all of it, and others are the alternative to
 * what was asked. Undefined where it is free. Errors: `invalid_argument`, naming the place in a schema that cannot be enforced.
 */
export function answerConstraint(
  asked: Constraint | undefined,
  tools: ToolBody,
  parallel: boolean | null | undefined,
): Constraint | undefined {
  if (mustCall(tools)) return readCallConstraint(tools, parallel, true);
  const calls = readCallConstraint(tools, parallel, asked !== undefined);
  if (calls === undefined || asked === undefined) return calls ?? asked;
  return { grammar: eitherGrammar(asked.grammar, calls.grammar, asked.field), field: asked.field };
}

/** The constraint, of an answer that may end. Errors: `invalid_argument` for what would keep it from that. */
export function endingConstraint(
  constraint: Constraint | undefined,
  ignoreEos: boolean | null | undefined,
): Constraint | undefined {
  if (constraint !== undefined && ignoreEos === true)
    throw fieldError("ignore_eos", `cannot be combined with ${constraint.field}: the answer ends where it matches`);
  return constraint;
}
