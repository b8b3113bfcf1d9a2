// What an answer must match, as a grammar that says it: from JSON Schemas.

export { schemaGrammar } from "./schema/schema-grammar.ts";
