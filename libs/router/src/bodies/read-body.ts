import { DroverError, type ErrorCode } from "@drover/core";
import type { KeptNames, KeptParts, ModelFacts } from "@drover/openai";
import { isConstrained, readerOf } from "./body-readers.ts";
import { packedQuery } from "./packed-query.ts";
import { parseJson } from "./request-json.ts";

/** A body as its route reads it. */
export type ReadBody = Readonly<{
  /** The name that says which model's facts it was read by; undefined where that is no text. */
  model: string | undefined;
  outcome:
    | Readonly<{ kind: "read"; query: unknown }>
    | Readonly<{ kind: "refused"; code: ErrorCode; message: string; field: string | undefined }>
    /** It is for a thread, however small. */
    | Readonly<{ kind: "deferred" }>
    /** It names what is kept, by which it is to be read once more; with its bytes. */
    | Readonly<{ kind: "continues"; names: KeptNames; bytes: Uint8Array<ArrayBuffer> }>;
}>;

/** The facts of each served model, the first one's first. */
export type FactsByModel = ReadonlyMap<string, ModelFacts>;

/** What a body is read by. */
export type BodyContext = Readonly<{
  path: string;
  facts: FactsByModel;
  /** What is kept of what it names; undefined until that was looked for. */
  kept: KeptParts | undefined;
  /** Whether it is read on a thread, and the query is as `packedQuery` makes it. */
  packs: boolean;
}>;

/**
 * Parses a body's bytes and reads them as its route does, by the facts of the model that it names, or of the first one: whose reader refuses
 * every name but its own. Where it is not read on a thread, one of which a grammar is to be made is deferred. What the reader refuses is part of the value. Errors: `invalid_argument` for bytes that are no JSON, or too much of it.
 */
export function readBody(bytes: Uint8Array<ArrayBuffer>, context: BodyContext): ReadBody {
  const { path, facts, kept, packs } = context;
  const reader = readerOf(path);
  const body = (reader.parse ?? parseJson)(bytes);
  const model = (reader.modelOf ?? modelIn)(body);
  if (!packs && (reader.isConstrained ?? isConstrained)(body)) return { model, outcome: { kind: "deferred" } };
  const own = (model === undefined ? undefined : facts.get(model)) ?? firstOf(facts);
  const names = kept === undefined ? reader.keptNames?.(body) : undefined;
  if (names !== undefined) return { model, outcome: { kind: "continues", names, bytes } };
  try {
    const query = reader.read(body, own, kept);
    return { model, outcome: { kind: "read", query: packs ? packedQuery(query) : query } };
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    const { code, message, field } = error;
    return { model, outcome: { kind: "refused", code, message, field } };
  }
}

function modelIn(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("model" in body)) return undefined;
  return typeof body.model === "string" ? body.model : undefined;
}

function firstOf(facts: FactsByModel): ModelFacts {
  const [first] = facts.values();
  if (first === undefined) throw new DroverError("unavailable", "no model is served");
  return first;
}
