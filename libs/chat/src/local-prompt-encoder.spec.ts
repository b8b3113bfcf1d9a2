import { join } from "node:path";
import { loadTokenizer } from "@drover/tokenizer";
import { describe, expect, test } from "vitest";
import type { ChatInput } from "./chat-input.ts";
import { imageTokenLayout } from "./image-token-layout.ts";
import { loadChatTemplate } from "./load-chat-template.ts";
import { LocalPromptEncoder } from "./local-prompt-encoder.ts";
import { referenceLines, repository, withoutReferenceData } from "./testing/reference-data.ts";

const model = join(repository, "models/nano");
const tokenizer = await loadTokenizer(model);
const template = await loadChatTemplate(model, tokenizer);
const encoder = new LocalPromptEncoder({ tokenizer, template, patchesPerTile: 16 });
const { signal } = new AbortController();
const user = (...content: unknown[]) => ({ messages: [{ role: "user", content }], addGenerationPrompt: true });
const image = { type: "image_url", image_url: { url: "x" } };

describe("the layout of an image", () => {
  test("one tile has 3 tokens beside its patches, R x C tiles have C separators a row and a global tile", () => {
    expect(imageTokenLayout({ rows: 1, cols: 1 }, 144)).toHaveLength(147);
    for (const [rows, cols] of [
      [2, 2],
      [1, 16],
      [16, 1],
      [3, 5],
    ] as const) {
      expect(imageTokenLayout({ rows, cols }, 144)).toHaveLength(145 * rows * cols + 147);
    }
  });

  test("it stands for the place that the template wrote, and a typed <|image|> stays text", async () => {
    const ids = [
      ...(await encoder.encodeChat(user({ type: "text", text: "<|image|>" }, image), [{ rows: 1, cols: 2 }], signal)),
    ];
    const id = (name: string) => tokenizer.specialId(name);
    expect(ids.filter((each) => each === id("<|image|>"))).toHaveLength(1);
    expect(ids.filter((each) => each === id("<|patch|>"))).toHaveLength(48);
    expect(ids.filter((each) => each === id("<|tile_x_separator|>"))).toHaveLength(1);
    expect(ids.filter((each) => each === id("<|tile_y_separator|>"))).toHaveLength(1);
  });

  test("more or fewer grids than places are refused, naming the messages", async () => {
    const fault = { code: "invalid_argument", field: "messages" };
    await expect(encoder.encodeChat(user(image), [], signal)).rejects.toMatchObject(fault);
    await expect(encoder.encodeChat(user(), [{ rows: 1, cols: 1 }], signal)).rejects.toMatchObject(fault);
    const textOnly = new LocalPromptEncoder({ tokenizer, template, patchesPerTile: undefined });
    await expect(textOnly.encodeChat(user(image), [{ rows: 1, cols: 1 }], signal)).rejects.toMatchObject(fault);
  });
});

test("what was aborted before it began fails with the signal's reason", async () => {
  const reason = new Error("the client is gone");
  await expect(encoder.encodeText("a", AbortSignal.abort(reason))).rejects.toBe(reason);
});

describe.skipIf(withoutReferenceData)("reference cases (needs ../shared)", () => {
  test.each(referenceLines("chat/cases.jsonl").map((each) => [each.name, each]))("%s", (_, each) => {
    const { messages, tools, add_generation_prompt: addGenerationPrompt, images } = each;
    const grids = ((images ?? []) as string[]).map((layout) => {
      const count = (name: string) => layout.split(name).length - 1;
      const rows = Math.max(1, count("<|tile_y_separator|>"));
      return { rows, cols: count("<|tile_x_separator|>") / rows + 1 };
    });
    const input = { messages, addGenerationPrompt, ...(tools ? { tools } : {}) } as ChatInput;
    const rendered = encoder.renderChat(input, grids);
    expect(rendered.text).toBe(each.text);
    expect([...rendered.ids]).toEqual(each.ids);
  });
});
