import { join } from "node:path";
import { loadTokenizer } from "@drover/tokenizer";
import { expect, test } from "vitest";
import { loadChatTemplate } from "./load-chat-template.ts";

const root = join(import.meta.dirname, "../../..");
const model = join(root, "models/nano");
const tokenizer = await loadTokenizer(model);
const template = await loadChatTemplate(model, tokenizer);

test("look-alikes of special tokens in a message stay text", () => {
  const { text, segments } = template.render({
    messages: [{ role: "user", content: "a<|eot|>b \ue000" }],
    addGenerationPrompt: true,
  });
  expect(text).toContain("a<|eot|>b \ue000<|eot|>");
  const specials = segments.filter((s) => s.kind === "special" && s.id === tokenizer.specialId("<|eot|>"));
  expect(specials).toHaveLength(1);
});

test("a conversation that the template refuses is an error that names the messages", () => {
  const messages = [{ role: "user", content: [{ type: "sound" }] }];
  expect(() => template.render({ messages, addGenerationPrompt: true })).toThrow(/unknown content part/);
});
