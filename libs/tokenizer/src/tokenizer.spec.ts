import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { bigText } from "./testing/big-text.ts";
import { randomTexts } from "./testing/random-text.ts";
import { referenceLines, repository, shared, withoutReferenceData } from "./testing/reference-data.ts";

const tokenizer = await loadTokenizer(join(repository, "models/nano"));

test("encoding and decoding are inverse for any text, with U+FFFD for what is no character", () => {
  for (const text of randomTexts(3000, { malformed: true, seed: 3 }))
    expect(tokenizer.decode([...tokenizer.encode(text)])).toBe(text.toWellFormed());
});

test("nothing in a text becomes a special token", () => {
  const ids = [...tokenizer.encode("<|eot|><|header_start|>")];
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

test("runs of 200,000 equal characters are encoded without quadratic work", () => {
  for (const character of ["a", " ", "!", "\n", "字"])
    expect(tokenizer.decode([...tokenizer.encode(character.repeat(200_000))])).toBe(character.repeat(200_000));
});

test("a remembered piece has the ids that it had before, in any order of texts", () => {
  const texts = randomTexts(500, { seed: 4 });
  const first = texts.map((text) => [...tokenizer.encode(text)]);
  const again = texts.toReversed().map((text) => [...tokenizer.encode(text)]);
  expect(again.toReversed()).toEqual(first);
});

test("a tokenizer over another's vocabulary gives the same ids, and shares its memory", () => {
  const copy = structuredClone(tokenizer.share());
  expect(copy.merges.buffer.byteLength).toBe(tokenizer.share().merges.buffer.byteLength);
  const other = BytePairTokenizer.over(copy);
  for (const text of randomTexts(200, { seed: 5 })) expect(other.encode(text)).toEqual(tokenizer.encode(text));
  expect(other.specialId("<|eot|>")).toBe(tokenizer.specialId("<|eot|>"));
});

test("a folder without a tokenizer is refused by name", async () => {
  await expect(loadTokenizer(import.meta.dirname)).rejects.toMatchObject({ code: "invalid_argument" });
});

describe.skipIf(withoutReferenceData)("reference cases (needs ../shared)", async () => {
  const llama4 = withoutReferenceData ? tokenizer : await loadTokenizer(join(shared, "llama4-tokenizer"));

  test.each(referenceLines("tokenizer/nano-cases.jsonl").map((each) => [each.name, each]))("nano: %s", (_, each) => {
    expect([...tokenizer.encode(String(each.text))]).toEqual(each.ids);
  });

  test.each(referenceLines("tokenizer/cases.jsonl").map((each) => [each.name, each]))("Llama 4: %s", (_, each) => {
    expect([...llama4.encode(String(each.text))]).toEqual(each.ids);
    expect(llama4.decode(each.ids as number[])).toBe(String(each.text).toWellFormed());
  });

  test.each(referenceLines("tokenizer/stream.jsonl").map((each) => [each.name, each]))("stream: %s", (_, each) => {
    const stream = llama4.stream();
    const deltas = (each.ids as number[]).map((id) => stream.push(id));
    expect([...deltas, stream.flush()]).toEqual(each.deltas);
  });

  test("texts of 1 MB and 4 MB have the reference's ids", () => {
    const big = JSON.parse(readFileSync(join(shared, "goldens/tokenizer/big.json"), "utf8"));
    for (const each of big.texts) {
      const ids = llama4.encode(bigText(big, each));
      expect(ids).toHaveLength(each.tokens);
      expect(createHash("sha256").update(ids).digest("hex")).toBe(each.sha256_ids);
    }
  });
});
