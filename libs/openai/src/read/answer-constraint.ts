import { eitherGrammar } from "@drover/grammar";
import type { Constraint } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
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
  { callStyle: style }: Pick<ModelFacts, "callStyle">,
): Constraint | undefined {
  const written = { parallel, style };
  if (mustCall(tools)) return readCallConstraint(tools, written, true);
  const calls = readCallConstraint(tools, written, asked !== undefined);
  if (calls === undefined || asked === undefined) return calls ?? asked;
  return { grammar: eitherGrammar(asked.grammar, calls.grammar, asked.field), field: asked.field };
}

type Limits = Readonly<{
  ignore_eos?: boolean | null | undefined;
  bad_words?: readonly unknown[] | null | undefined;
  allowed_token_ids?: readonly unknown[] | null | undefined;
}>;

/** The constraint, of an answer that can match it and end. Errors: `invalid_argument` for what would keep it from that. */
export function possibleConstraint(constraint: Constraint | undefined, body: Limits): Constraint | undefined {
  if (constraint === undefined) return undefined;
  if (body.ignore_eos === true)
    throw fieldError("ignore_eos", `cannot be combined with ${constraint.field}: the answer ends where it matches`);
  for (const name of ["bad_words", "allowed_token_ids"] as const)
    if ((body[name] ?? []).length > 0)
      throw fieldError(name, `cannot be combined with ${constraint.field}: no token might be left that matches`);
  return constraint;
}
