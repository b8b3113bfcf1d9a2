import type { GenerationQuery, KeptNames, KeptParts, ModelFacts, PromptQuery } from "@drover/openai";

/** What a body is read into: what is to be generated, prompt by prompt; a prompt that is only tokenized; or token ids. */
export type BodyQuery = readonly GenerationQuery[] | Readonly<{ prompt: PromptQuery }> | Uint32Array;

/** How the body of a route, or the message of a method, is read: without a thread or a model. */
export type BodyReader = Readonly<{
  /** What its bytes hold; JSON unless given. Errors: `invalid_argument`. */
  parse?: (bytes: Uint8Array) => unknown;
  /** The name of the model in what they hold; the field `model` unless given. */
  modelOf?: (body: unknown) => string | undefined;
  /** Whether a small one is read on a thread too, for a grammar that is to be made of it; those of `isConstrained` unless given. */
  isConstrained?: (body: unknown) => boolean;
  /** Errors: `invalid_argument`, `model_not_found`. */
  read: (body: unknown, facts: ModelFacts, kept: KeptParts | undefined) => BodyQuery;
  /** What a body names of kept responses; undefined where it names none. */
  keptNames?: (body: unknown) => KeptNames | undefined;
}>;
