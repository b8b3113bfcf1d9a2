import { join } from "node:path";
import { loadTokenizer } from "@drover/tokenizer";
import { expect, test } from "vitest";
import { loadChatTemplate } from "./load-chat-template.ts";
import { looksMarked, markedSegments } from "./marked-text.ts";
import { repository } from "./testing/reference-data.ts";

const model = join(repository, "models/nano");
const tokenizer = await loadTokenizer(model);

test("a conversation that its client rendered has the tokens of one that the template renders here", async () => {
  const template = await loadChatTemplate(model, tokenizer);
  const messages = [{ role: "user", content: "What is <|this|>, < | or |>?" }];
  const { text, segments } = template.render({ messages, addGenerationPrompt: true });
  expect(looksMarked(text)).toBe(true);
  expect(tokenizer.encodeSegments(markedSegments(text, tokenizer))).toEqual(tokenizer.encodeSegments(segments));
  expect(tokenizer.encode(text)).not.toEqual(tokenizer.encodeSegments(segments));
});

test("a text without names of special tokens stays as it is", () => {
  for (const text of ["", "plain", "<|no such token|>", "<|", "|>", "<||>", "a <| b |> c"])
    expect(tokenizer.encodeSegments(markedSegments(text, tokenizer))).toEqual(tokenizer.encode(text));
  const [eot] = markedSegments("<|eot|>", tokenizer);
  expect(eot).toEqual({ kind: "special", id: tokenizer.specialId("<|eot|>") });
});
