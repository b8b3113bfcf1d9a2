// What an answer must match, as a grammar: from JSON Schemas, patterns, lists of choices, tools that must be called, and grammars of a client's own.

export { choiceGrammar } from "./choice-grammar.ts";
export { eitherGrammar } from "./either-grammar.ts";
export { notationGrammar } from "./notation/notation-grammar.ts";
export { regexGrammar } from "./regex/regex-grammar.ts";
export { schemaGrammar } from "./schema/schema-grammar.ts";
export { type CallableTool, type CallStyle, strictToolGrammar, toolCallGrammar } from "./tool-call-grammar.ts";

// What a worker needs besides: a grammar without its long counts, and what counts them.

export {
  CountingMatcher,
  isPlain,
  type MatchState,
  mayLeaveAscii,
  takesPlain,
} from "./counting/counting-matcher.ts";
export { countedGrammar } from "./counting/loose-grammar.ts";
