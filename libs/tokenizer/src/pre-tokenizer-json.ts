import { fail, flagAt, type Json, listAt, objectAt } from "./json-fields.ts";
import { O200K_PATTERN } from "./o200k-splitter.ts";
import { SPLIT_BEHAVIORS } from "./pattern-splitter.ts";
import { literalPattern, splitPattern } from "./split-pattern.ts";
import type { SplitStep } from "./vocabulary.ts";

/** What ByteLevel splits by with `use_regex`. Source: GPT-2's encoder. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** `pre_tokenizer`: any Splits, and ByteLevel last. Errors: `invalid_argument` naming what is not supported. */
export function readPreTokenizer(value: unknown): SplitStep[] {
  const outer = objectAt(value, "pre_tokenizer");
  const isSequence = outer.type === "Sequence";
  const entries = isSequence ? listAt(outer.pretokenizers, "pre_tokenizer.pretokenizers") : [outer];
  const steps: SplitStep[] = [];
  let isByteLevel = false;
  for (const [i, value] of entries.entries()) {
    const field = isSequence ? `pre_tokenizer.pretokenizers[${i}]` : "pre_tokenizer";
    const entry = objectAt(value, field);
    if (isByteLevel) fail(field, "comes after ByteLevel, which is not supported");
    if (entry.type === "Split") steps.push(readSplit(entry, field));
    else if (entry.type === "ByteLevel") {
      isByteLevel = true;
      if (flagAt(entry.add_prefix_space, `${field}.add_prefix_space`, true))
        fail(`${field}.add_prefix_space`, "is not supported");
      if (flagAt(entry.use_regex, `${field}.use_regex`, true)) steps.push(patternStep(GPT2_PATTERN, field));
    } else fail(`${field}.type`, `must be Split or ByteLevel, not ${JSON.stringify(entry.type)}`);
  }
  if (!isByteLevel) fail("pre_tokenizer", "must end with ByteLevel");
  return steps;
}

function readSplit(split: Json, field: string): SplitStep {
  const behavior = SPLIT_BEHAVIORS.find((name) => name === split.behavior);
  if (behavior === undefined) return fail(`${field}.behavior`, `must be one of ${SPLIT_BEHAVIORS.join(", ")}`);
  const invert = flagAt(split.invert, `${field}.invert`, false);
  const pattern = objectAt(split.pattern, `${field}.pattern`);
  if (typeof pattern.String === "string" && pattern.String !== "")
    return { kind: "pattern", pattern: literalPattern(pattern.String), behavior, invert };
  if (typeof pattern.Regex !== "string") return fail(`${field}.pattern`, "must be a Regex or a String");
  // The hand-written pattern leaves no gaps: what is isolated, and what remains when the gaps are removed, are its matches.
  const takesMatches = behavior === "Isolated" || (behavior === "Removed" && invert);
  if (pattern.Regex === O200K_PATTERN && takesMatches) return { kind: "o200k" };
  return { ...patternStep(pattern.Regex, `${field}.pattern.Regex`), behavior, invert };
}

function patternStep(source: string, field: string) {
  const pattern = splitPattern(source);
  if (typeof pattern === "string") return fail(field, `is not supported: it ${pattern}`);
  return { kind: "pattern", pattern, behavior: "Isolated", invert: false } as const;
}
