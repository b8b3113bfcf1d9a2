import { expect, test } from "vitest";
import { llama4Specials } from "./llama4-specials.ts";
import { naiveBpe } from "./testing/naive-bpe.ts";
import { randomTexts } from "./testing/random-text.ts";
import { parseTiktokenModel } from "./tiktoken-model.ts";

const latin = (text: string) => Buffer.from(text, "utf8").toString("latin1");
const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
const words = ["aZ", " a", "\n\n", "  ", "ab", "Za", "é", " é", "中", "aZa", "字\u0301", "!!", "!!!!", "19", "190"].map(
  latin,
);
const tokens = [
  ...bytes,
  ...words,
  ...new Set(words.map((word) => word.slice(0, 2)).filter((pair) => pair.length === 2 && !words.includes(pair))),
];
const file = (list: readonly string[]) =>
  list.map((token, rank) => `${Buffer.from(token, "latin1").toString("base64")} ${rank}\n`).join("");
const tokenizer = parseTiktokenModel(file(tokens));

test("a piece that is a token is that token; any other is merged by the ranks of what pairs make", () => {
  const rankOf = (left: string, right: string) => {
    const rank = tokens.indexOf(left + right);
    return rank < 0 ? undefined : rank;
  };
  for (const text of ["!!!!!", "!!!!!!!!", "!!!!!!!", "ababab", "éé", "字\u0301", "Zaaa", "190"]) {
    const raw = latin(text);
    const whole = tokens.indexOf(raw);
    const expected = whole >= 0 ? [whole] : naiveBpe([...raw], rankOf).map((token) => tokens.indexOf(token));
    expect([...tokenizer.encode(text)]).toEqual(expected);
  }
});

test("any text comes back, with U+FFFD for what is no character", () => {
  for (const text of randomTexts(3000, { malformed: true })) {
    expect(tokenizer.decode([...tokenizer.encode(text)])).toBe(text.toWellFormed());
  }
});

test("Llama 4's control tokens lie behind the ordinary ones, at the released ids", () => {
  const idOf = new Map(llama4Specials(200_000).map(({ id, content }) => [content, id]));
  const released = {
    "<|begin_of_text|>": 200_000,
    "<|header_start|>": 200_005,
    "<|eom|>": 200_007,
    "<|eot|>": 200_008,
    "<|text_post_train_reserved_special_token_5|>": 200_015,
    "<|python_start|>": 200_016,
    "<|finetune_right_pad|>": 200_018,
    "<|text_post_train_reserved_special_token_8|>": 200_019,
    "<|text_post_train_reserved_special_token_68|>": 200_079,
    "<|image_start|>": 200_080,
    "<|vision_reserved_special_token_0|>": 200_082,
    "<|tile_y_separator|>": 200_085,
    "<|vision_reserved_special_token_5|>": 200_089,
    "<|image|>": 200_090,
    "<|vision_reserved_special_token_6|>": 200_091,
    "<|patch|>": 200_092,
    "<|vision_reserved_special_token_1047|>": 201_133,
    "<|reasoning_reserved_special_token_7|>": 201_141,
    "<|reasoning_thinking_end|>": 201_143,
    "<|reserved_special_token_903|>": 202_047,
  };
  for (const [content, id] of Object.entries(released)) expect(idOf.get(content)).toBe(id);
  expect(idOf.size).toBe(2048);
});

test("a damaged file is refused, naming the line", () => {
  const lines = file(tokens).split("\n");
  const spoilt = (at: number, line: string) => () => parseTiktokenModel(lines.with(at, line).join("\n"));
  expect(spoilt(3, "not base64! 3")).toThrow(/line 4/);
  expect(spoilt(3, "AAM=")).toThrow(/line 4/);
  expect(spoilt(3, "AAM= 7")).toThrow(/line 4 must have rank 3/);
  expect(spoilt(300, lines[299]?.replace("299", "300") ?? "")).toThrow(/300/);
  expect(() => parseTiktokenModel("")).toThrow(/no tokens/);
  expect(() => parseTiktokenModel(lines.slice(0, 200).join("\n"))).toThrow(/lacks byte/);
});
