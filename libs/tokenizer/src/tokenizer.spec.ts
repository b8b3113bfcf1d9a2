import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";

const root = join(import.meta.dirname, "../../..");
const goldens = join(root, "../shared/goldens/tokenizer");
const tokenizer = await loadTokenizer(join(root, "models/nano"));

test("encoding and decoding are inverse for any text", () => {
  const text = "The capital of France is Paris.\n\n  नमस्ते 你好 สวัสดี 🙂👩‍👩‍👧 \u0085\ufeff IT'S we'll 123456";
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});

test("nothing in a text becomes a special token", () => {
  const ids = tokenizer.encode("<|eot|><|header_start|>");
  expect(ids.some((id) => tokenizer.isSpecial(id))).toBe(false);
  expect(tokenizer.decode(ids)).toBe("<|eot|><|header_start|>");
});

test("a stream sends only complete characters, and special tokens are silent", () => {
  const stream = tokenizer.stream();
  const eot = tokenizer.specialId("<|eot|>") ?? -1;
  const sent = [...tokenizer.encode("สวัสดี 🙂"), eot].map((id) => stream.push(id));
  expect(sent.join("") + stream.flush()).toBe("สวัสดี 🙂");
  expect(sent.join("")).not.toContain("\ufffd");
});

test("a run of 100,000 equal characters is encoded without quadratic work", () => {
  const ids = tokenizer.encode("a".repeat(100_000));
  expect(tokenizer.decode(ids)).toHaveLength(100_000);
});

describe.skipIf(!existsSync(goldens))("reference cases (needs ../shared)", () => {
  const lines = (name: string) =>
    readFileSync(join(goldens, name), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  test("every text of nano-cases gives the reference's ids", () => {
    for (const { text, ids } of lines("nano-cases.jsonl")) expect(tokenizer.encode(text)).toEqual(ids);
  });
});
