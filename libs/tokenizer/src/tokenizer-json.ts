import { DroverError } from "@drover/core";
import { bytesOfCharacters, characterOfByte } from "./byte-level.ts";
import { MergeTable } from "./merge-table.ts";
import { splitPattern } from "./split-pattern.ts";
import { BytePairTokenizer, type Tokenizer } from "./tokenizer.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads Hugging Face's tokenizer.json, byte-level BPE with one split pattern, as Llama 4's checkpoints have it.
 * Errors: `invalid_argument` naming the field that is missing or not supported.
 */
export function parseTokenizerJson(text: string): Tokenizer {
  let root: Json;
  try {
    root = JSON.parse(text) as Json;
  } catch (cause) {
    throw new DroverError("invalid_argument", "tokenizer.json is not valid JSON", { cause });
  }
  const model = object(root.model, "model");
  if (model.type !== "BPE") fail("model.type", "must be BPE");
  if (root.normalizer != null) fail("normalizer", "is not supported");
  if (model.byte_fallback === true) fail("model.byte_fallback", "is not supported");
  const vocabulary = object(model.vocab, "model.vocab");
  const added = addedTokens(root.added_tokens);
  const idOf = new Map(
    Object.entries(vocabulary).map(([token, id]) => [token, tokenId(id, `model.vocab[${JSON.stringify(token)}]`)]),
  );
  // Not a spread: a real vocabulary has more ids than a call may have arguments.
  const size = [...idOf.values(), ...added.map(({ id }) => id)].reduce((most, id) => Math.max(most, id + 1), 0);
  const bytesOfId: (Uint8Array | undefined)[] = new Array(size).fill(undefined);
  for (const [token, id] of idOf)
    bytesOfId[id] =
      bytesOfCharacters(token) ??
      fail("model.vocab", `has the token ${JSON.stringify(token)}, which is not byte-level`);
  const specials = new Map<string, number>();
  for (const { id, content } of added) {
    bytesOfId[id] = new TextEncoder().encode(content);
    specials.set(content, id);
  }
  const idOfByte = Int32Array.from(
    { length: 256 },
    (_, byte) => idOf.get(characterOfByte(byte)) ?? fail("model.vocab", `lacks byte ${byte}`),
  );
  return new BytePairTokenizer({
    split: splitPattern(pattern(root.pre_tokenizer)),
    merges: mergeTable(model.merges, idOf, size),
    idOfByte,
    bytesOfId,
    specials,
  });
}

function mergeTable(merges: unknown, idOf: ReadonlyMap<string, number>, size: number): MergeTable {
  if (!Array.isArray(merges)) return fail("model.merges", "must be a list");
  const table = new MergeTable(size);
  for (const [rank, merge] of merges.entries()) {
    const [left, right] = Array.isArray(merge) ? merge : String(merge).split(" ");
    const ids = [idOf.get(left), idOf.get(right), idOf.get(`${left}${right}`)];
    const [leftId, rightId, id] = ids;
    if (leftId === undefined || rightId === undefined || id === undefined)
      return fail(`model.merges[${rank}]`, "names tokens that are not in the vocabulary");
    table.add(leftId, rightId, rank, id);
  }
  return table;
}

/** The one Split pattern before ByteLevel. */
function pattern(preTokenizer: unknown): string {
  const outer = object(preTokenizer, "pre_tokenizer");
  const steps = outer.type === "Sequence" && Array.isArray(outer.pretokenizers) ? outer.pretokenizers : [outer];
  const splits = steps.filter((step) => object(step, "pre_tokenizer").type === "Split");
  if (splits.length !== 1 || !steps.some((step) => object(step, "pre_tokenizer").type === "ByteLevel")) {
    fail("pre_tokenizer", "must be one Split and ByteLevel");
  }
  const split = object(splits[0], "pre_tokenizer");
  const regex = object(split.pattern, "pre_tokenizer.pattern").Regex;
  if (typeof regex !== "string" || split.behavior !== "Isolated")
    fail("pre_tokenizer.pattern", "must be a Regex with behavior Isolated");
  return String(regex);
}

function addedTokens(value: unknown): { id: number; content: string }[] {
  if (value == null) return [];
  if (!Array.isArray(value)) return fail("added_tokens", "must be a list");
  return value.map((entry, i) => {
    const { id, content } = object(entry, `added_tokens[${i}]`);
    if (typeof content !== "string" || content === "") return fail(`added_tokens[${i}].content`, "must be a string");
    return { id: tokenId(id, `added_tokens[${i}].id`), content };
  });
}

const TOKEN_ID_MAX = 10_000_000;

function tokenId(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0 || Number(value) > TOKEN_ID_MAX)
    fail(field, "must be a token id");
  return Number(value);
}

function object(value: unknown, field: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(field, "must be an object");
  return value as Json;
}

function fail(field: string, what: string): never {
  throw new DroverError("invalid_argument", `tokenizer.json: ${field} ${what}`, { field });
}
