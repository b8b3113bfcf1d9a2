import { assert } from "@drover/core";
import {
  GENERATION_ENDPOINTS,
  type GenerationQuery,
  type KeptNames,
  type KeptParts,
  type ModelFacts,
  type PromptQuery,
  readAnthropicCount,
  readDetokenize,
  readTokenize,
} from "@drover/openai";

/** What a body is read into: what is to be generated, prompt by prompt; a prompt that is only tokenized; or token ids. */
export type BodyQuery = readonly GenerationQuery[] | Readonly<{ prompt: PromptQuery }> | Uint32Array;

/** How the body of a route is read: out of parsed JSON, without a thread or a model. */
export type BodyReader = Readonly<{
  /** Errors: `invalid_argument`, `model_not_found`. */
  read: (body: unknown, facts: ModelFacts, kept: KeptParts | undefined) => BodyQuery;
  /** What a body names of kept responses; undefined where it names none. */
  keptNames?: (body: unknown) => KeptNames | undefined;
}>;

const READERS: ReadonlyMap<string, BodyReader> = new Map<string, BodyReader>([
  ...GENERATION_ENDPOINTS.map((endpoint) => [endpoint.path, endpoint] as const),
  ["/tokenize", { read: readTokenize }],
  ["/detokenize", { read: (body, facts) => Uint32Array.from(readDetokenize(body, facts)) }],
  ["/v1/messages/count_tokens", { read: (body, facts) => ({ prompt: readAnthropicCount(body, facts) }) }],
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
