import { assert } from "@drover/core";
import {
  GENERATION_ENDPOINTS,
  keptNames,
  readAnthropicCount,
  readDetokenize,
  readResponseCount,
  readTokenize,
} from "@drover/openai";
import { MESSAGE_READERS } from "../grpc/message-readers.ts";
import type { BodyReader } from "./body-reader.ts";

const READERS: ReadonlyMap<string, BodyReader> = new Map<string, BodyReader>([
  ...GENERATION_ENDPOINTS.map((endpoint) => [endpoint.path, endpoint] as const),
  ["/tokenize", { read: readTokenize }],
  ["/detokenize", { read: (body, facts) => Uint32Array.from(readDetokenize(body, facts)) }],
  ["/v1/messages/count_tokens", { read: (body, facts) => ({ prompt: readAnthropicCount(body, facts) }) }],
  [
    "/v1/responses/input_tokens",
    { read: (body, facts, kept) => ({ prompt: readResponseCount(body, facts, kept) }), keptNames },
  ],
  ...MESSAGE_READERS,
]);

/** Routes that read a body in a way of their own. */
const OTHERS: ReadonlySet<string> = new Set(["/v1/files", "/v1/batches"]);

/** Whether the route of this path reads a body. */
export const readsBody = (path: string | undefined): boolean =>
  path !== undefined && (READERS.has(path) || OTHERS.has(path));

/** The reader of a route that has one. */
export function readerOf(path: string): BodyReader {
  const reader = READERS.get(path);
  assert(reader !== undefined, `${path} takes a body and has a reader`);
  return reader;
}

/** Fields of all APIs of which a grammar may be made: that may take half a second, however small the body is. */
const CONSTRAINTS = [
  ...["response_format", "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"],
  ...["json_schema", "grammar", "regex", "ebnf", "text", "output_config", "output_format"],
];

/** Whether a body asks for an answer of a certain form. */
export function isConstrained(body: unknown): boolean {
  if (typeof body !== "object" || body === null) return false;
  return CONSTRAINTS.some((name) => name in body) || ("tools" in body && constrainsTools(body));
}

/** Whether a tool's arguments must match its schema, or a call must come. */
function constrainsTools(body: object): boolean {
  const { tools, tool_choice: choice } = body as Readonly<{ tools: unknown; tool_choice?: unknown }>;
  const kind = typeof choice === "object" && choice !== null && "type" in choice ? choice.type : choice;
  const isFree = kind === undefined || kind === null || kind === "auto" || kind === "none";
  return !isFree || (Array.isArray(tools) && tools.some(isStrict));
}

/** A chat's tool says it in its function. */
function isStrict(tool: unknown): boolean {
  if (typeof tool !== "object" || tool === null) return false;
  return ("strict" in tool && tool.strict === true) || ("function" in tool && isStrict(tool.function));
}
