import { describe, expect, test } from "vitest";
import { characterOfByte } from "./byte-level.ts";
import { O200K_PATTERN } from "./o200k-splitter.ts";
import { parseTokenizerJson } from "./tokenizer-json.ts";

const written = (text: string) => [...Buffer.from(text)].map(characterOfByte).join("");
const words = ["he", "ll", "hell", "hello", "o w"];
const vocab = Object.fromEntries(
  [...Array.from({ length: 256 }, (_, byte) => characterOfByte(byte)), ...words.map(written)].map((token, id) => [
    token,
    id,
  ]),
);
const idOf = (text: string) => vocab[written(text)] ?? -1;
const split = (behavior: string, invert = false, regex = O200K_PATTERN) => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior,
  invert,
});
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const base = {
  added_tokens: [
    { id: 300, content: "<|eot|>", special: true },
    { id: 301, content: "<tool>", special: false },
    { id: 302, content: "<tool>s", special: false },
  ] as object[],
  normalizer: null as unknown,
  pre_tokenizer: { type: "Sequence", pretokenizers: [split("Isolated"), byteLevel] } as unknown,
  decoder: { type: "ByteLevel" } as unknown,
};
const model = { type: "BPE", vocab, merges: ["h e", "l l", "he ll"] as unknown[], ignore_merges: false as unknown };
const parse = (root: object = {}, ofModel: object = {}) =>
  parseTokenizerJson(JSON.stringify({ ...base, ...root, model: { ...model, ...ofModel } }));
const sequence = (...pretokenizers: object[]) => ({ pre_tokenizer: { type: "Sequence", pretokenizers } });

test("a piece that is a token is that token only with ignore_merges", () => {
  expect([...parse().encode("hello")]).toEqual([idOf("hell"), idOf("o")]);
  expect([...parse({}, { ignore_merges: true }).encode("hello")]).toEqual([idOf("hello")]);
});

test("merges may be pairs or text", () => {
  const pairs = [
    ["h", "e"],
    ["l", "l"],
    ["he", "ll"],
  ];
  expect([...parse({}, { merges: pairs }).encode("hello")]).toEqual([idOf("hell"), idOf("o")]);
});

test("an added token that is not special is cut out of a text, the longest first, and shown; a special one is neither", () => {
  const tokenizer = parse();
  const ids = [...tokenizer.encode("a<tool>s<tool><|eot|>")];
  expect(ids.slice(0, 3)).toEqual([idOf("a"), 302, 301]);
  expect(ids).not.toContain(300);
  expect([300, 301, 302].map((id) => tokenizer.isSpecial(id))).toEqual([true, false, false]);
  expect(tokenizer.specialId("<tool>")).toBeUndefined();
  expect(tokenizer.decode([...ids, 300])).toBe("a<tool>s<tool><|eot|>");
  expect(tokenizer.stream().push(301)).toBe("<tool>");
});

test("what a Split removes is not encoded", () => {
  const tokenizer = parse(sequence(split("Removed", false, "-"), byteLevel));
  expect([...tokenizer.encode("h-e")]).toEqual([idOf("h"), idOf("e")]);
});

test("characters between the matches of a pattern are kept", () => {
  const tokenizer = parse(sequence(split("Isolated", false, "[a-z]+"), byteLevel));
  expect(tokenizer.decode([...tokenizer.encode("he 12 ll!")])).toBe("he 12 ll!");
});

test("ByteLevel's own pattern splits where it is asked for, after other steps", () => {
  const tokenizer = parse({ pre_tokenizer: { ...byteLevel, use_regex: true } }, { ignore_merges: true });
  expect([...tokenizer.encode("hello world")].slice(0, 2)).toEqual([idOf("hello"), idOf(" ")]);
  const whole = parse({ pre_tokenizer: byteLevel }, { ignore_merges: true });
  expect([...whole.encode("o w")]).toEqual([idOf("o w")]);
});

describe("what it has and cannot be done is an error that names the field", () => {
  const refused: [string, object, object?][] = [
    ["normalizer", { normalizer: { type: "NFC" } }],
    ["decoder.type", { decoder: { type: "Metaspace" } }],
    ["model.type", {}, { type: "Unigram" }],
    ["model.byte_fallback", {}, { byte_fallback: true }],
    ["model.dropout", {}, { dropout: 0.1 }],
    ["model.unk_token", {}, { unk_token: "<unk>" }],
    ["model.continuing_subword_prefix", {}, { continuing_subword_prefix: "##" }],
    ["model.end_of_word_suffix", {}, { end_of_word_suffix: "</w>" }],
    ["model.ignore_merges", {}, { ignore_merges: "yes" }],
    ["model.merges", {}, { merges: null }],
    ["model.merges[0]", {}, { merges: ["h zz"] }],
    ["model.merges[0]", {}, { merges: ["h e l"] }],
    ["model.vocab", {}, { vocab: { a: 0 } }],
    ["model.vocab", {}, { vocab: { ...vocab, "a b": 400 } }],
    ["model.vocab", {}, { vocab: { ...vocab, x: 0 } }],
    ['model.vocab["x"]', {}, { vocab: { ...vocab, x: -1 } }],
    ["pre_tokenizer", { pre_tokenizer: null }],
    ["pre_tokenizer", sequence(split("Isolated"))],
    ["pre_tokenizer.pretokenizers[1]", sequence(byteLevel, split("Isolated"))],
    ["pre_tokenizer.pretokenizers[0].type", sequence({ type: "Digits" }, byteLevel)],
    ["pre_tokenizer.pretokenizers[0].behavior", sequence(split("Sideways"), byteLevel)],
    ["pre_tokenizer.pretokenizers[0].pattern.Regex", sequence(split("Isolated", false, "a++"), byteLevel)],
    ["pre_tokenizer.add_prefix_space", { pre_tokenizer: { ...byteLevel, add_prefix_space: true } }],
    ["added_tokens", { added_tokens: {} }],
    ["added_tokens[0].lstrip", { added_tokens: [{ id: 300, content: "x", special: true, lstrip: true }] }],
    ["added_tokens[0].content", { added_tokens: [{ id: 300, content: "" }] }],
    ["added_tokens[0].id", { added_tokens: [{ id: 2.5, content: "x" }] }],
  ];
  test.each(refused)("%s", (field, root, ofModel = {}) => {
    expect(() => parse(root, ofModel)).toThrowError(expect.objectContaining({ code: "invalid_argument", field }));
  });

  test("a file that is no JSON", () => {
    expect(() => parseTokenizerJson('{"model":')).toThrow(/not valid JSON/);
    expect(() => parseTokenizerJson("[]")).toThrow(/must be an object/);
  });
});
