import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadTokenizer } from "@drover/tokenizer";
import { describe, expect, test } from "vitest";
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

describe.skipIf(!existsSync(join(root, "../shared")))("reference cases (needs ../shared)", () => {
  const cases = existsSync(join(root, "../shared"))
    ? readFileSync(join(root, "../shared/goldens/chat/cases.jsonl"), "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

  test("every conversation renders to the reference's text and, without images, ids", () => {
    for (const { messages, tools, add_generation_prompt: addGenerationPrompt, text, ids, images } of cases) {
      const rendered = template.render({ messages, addGenerationPrompt, ...(tools ? { tools } : {}) });
      if (images?.length) continue;
      expect(rendered.text).toBe(text);
      expect(tokenizer.encodeSegments(rendered.segments)).toEqual(ids);
    }
  });
});
