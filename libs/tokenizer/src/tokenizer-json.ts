import { bytesOfCharacters, characterOfByte } from "./byte-level.ts";
import { BytePairTable } from "./byte-pair-table.ts";
import { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
import { ByteStrings } from "./byte-strings.ts";
import { fail, flagAt, type Json, listAt, objectAt } from "./json-fields.ts";
import { MERGES_MAX, TOKEN_BYTES_MAX, TOKEN_ID_MAX } from "./limits.ts";
import { readPreTokenizer } from "./pre-tokenizer-json.ts";
import type { SharableTokenizer } from "./tokenizer.ts";
import type { AddedToken } from "./vocabulary.ts";

/**
 * Reads Hugging Face's tokenizer.json: byte-level BPE, as Llama 4's checkpoints have it. `post_processor` is not used: the chat template
 * writes what begins a prompt. Errors: `invalid_argument` naming the field that is missing or not supported.
 */
export function parseTokenizerJson(text: string): SharableTokenizer {
  const root = parseObject(text);
  const model = objectAt(root.model, "model");
  refuseUnsupported(root, model);
  const idOf = new Map<string, number>();
  const bytesOfId: (Uint8Array | undefined)[] = [];
  for (const [token, value] of Object.entries(objectAt(model.vocab, "model.vocab"))) {
    const id = tokenId(value, `model.vocab[${JSON.stringify(token.slice(0, 100))}]`);
    idOf.set(token, id);
    setBytes(bytesOfId, id, bytesOfCharacters(token));
  }
  const ordinary = new Set(idOf.values());
  const added = readAddedTokens(root.added_tokens);
  for (const { id, content } of added) {
    bytesOfId[id] = new TextEncoder().encode(content);
    ordinary.delete(id);
  }
  const idOfByte = Int32Array.from({ length: 256 }, (_, byte) => {
    return idOf.get(characterOfByte(byte)) ?? fail("model.vocab", `lacks byte ${byte}`);
  });
  return new BytePairTokenizer({
    steps: readPreTokenizer(root.pre_tokenizer),
    strings: ByteStrings.of(Array.from(bytesOfId), (id) => ordinary.has(id)),
    merges: readMerges(model.merges, idOf),
    idOfByte,
    wholePiecesFirst: flagAt(model.ignore_merges, "model.ignore_merges", false),
    specials: added.filter(({ special }) => special),
    words: added.filter(({ special }) => !special),
  });
}

function parseObject(text: string): Json {
  try {
    return objectAt(JSON.parse(text), "the file");
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return fail("the file", `is not valid JSON (${cause.message})`);
  }
}

function refuseUnsupported(root: Json, model: Json): void {
  if ((model.type ?? "BPE") !== "BPE") fail("model.type", "must be BPE");
  if (root.normalizer != null) fail("normalizer", "is not supported");
  if (root.decoder != null && objectAt(root.decoder, "decoder").type !== "ByteLevel")
    fail("decoder.type", "must be ByteLevel");
  if (flagAt(model.byte_fallback, "model.byte_fallback", false)) fail("model.byte_fallback", "is not supported");
  for (const name of ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) {
    const value = model[name];
    if (value != null && value !== "" && value !== 0) fail(`model.${name}`, "is not supported");
  }
}

function setBytes(bytesOfId: (Uint8Array | undefined)[], id: number, bytes: Uint8Array | undefined) {
  if (bytes === undefined) fail("model.vocab", `has token ${id} that is not byte-level`);
  if (bytes.length > TOKEN_BYTES_MAX) fail("model.vocab", `has a token of more than ${TOKEN_BYTES_MAX} bytes`);
  if (bytesOfId[id] !== undefined) fail("model.vocab", `gives id ${id} to two tokens`);
  bytesOfId[id] = bytes;
}

function readMerges(value: unknown, idOf: ReadonlyMap<string, number>): BytePairTable {
  const merges = listAt(value, "model.merges");
  if (merges.length > MERGES_MAX) fail("model.merges", `has more than ${MERGES_MAX} entries`);
  const table = BytePairTable.withRoom(merges.length);
  for (const [rank, merge] of merges.entries()) {
    const [left, right, ...more]: readonly unknown[] =
      typeof merge === "string" ? merge.split(" ") : listAt(merge, `model.merges[${rank}]`);
    if (typeof left !== "string" || typeof right !== "string")
      return fail(`model.merges[${rank}]`, "must be two tokens");
    const leftId = idOf.get(left);
    const rightId = idOf.get(right);
    const id = idOf.get(`${left}${right}`);
    if (leftId === undefined || rightId === undefined || id === undefined || more.length > 0)
      return fail(`model.merges[${rank}]`, "names tokens that are not in the vocabulary");
    table.add(leftId, rightId, rank, id);
  }
  return table;
}

function readAddedTokens(value: unknown): (AddedToken & { special: boolean })[] {
  if (value == null) return [];
  const contents = new Set<string>();
  return listAt(value, "added_tokens").map((value, i) => {
    const field = `added_tokens[${i}]`;
    const entry = objectAt(value, field);
    const { content } = entry;
    if (typeof content !== "string" || content === "") return fail(`${field}.content`, "must be a string");
    if (contents.has(content)) return fail(`${field}.content`, "is there twice");
    contents.add(content);
    for (const name of ["single_word", "lstrip", "rstrip"])
      if (flagAt(entry[name], `${field}.${name}`, false)) fail(`${field}.${name}`, "is not supported");
    const special = flagAt(entry.special, `${field}.special`, false);
    return { id: tokenId(entry.id, `${field}.id`), content, special };
  });
}

function tokenId(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0 || Number(value) > TOKEN_ID_MAX)
    fail(field, "must be a token id");
  return Number(value);
}
