import { join } from "node:path";
import {
  LocalPromptEncoder,
  loadChatTemplate,
  loadTemplateSource,
  markedSegments,
  parseExactJson,
  type TemplateSource,
} from "@drover/chat";
import { neverAborted } from "@drover/core";
import { loadTokenizer } from "@drover/tokenizer";
import { describe, expect, test } from "vitest";
import { packPrompt } from "./packed-prompt.ts";
import { PromptPool, type PromptPoolOptions } from "./prompt-pool.ts";

const model = join(import.meta.dirname, "../../../../models/nano");
const tokenizer = await loadTokenizer(model);
const template = await loadTemplateSource(model);
/** Does not end for the content `loop`. */
const LOOPING =
  "{% if messages[0].content == 'loop' %}{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}{% endif %}fine";

const start = (options: Partial<PromptPoolOptions> = {}) =>
  PromptPool.start({ tokenizer, template, patchesPerTile: 16, threads: 1, inlineCharactersMax: 0, ...options });
const plain = (source: string): TemplateSource => ({ templates: new Map([["default", source]]), variables: {} });
const ask = (content: unknown) => ({ messages: [{ role: "user", content }], addGenerationPrompt: true });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a prompt pool gives what the encoder on the caller's thread gives", () => {
  test("for text, long or short, on a thread or where it is", async () => {
    await using pool = await start({ threads: 2 });
    await using inline = await start({ inlineCharactersMax: 100 });
    const texts = ["", "a <|eot|> b", "नमस्ते 你好 🙂", "word ".repeat(50_000), "x\ud800y"];
    for (const text of texts) {
      const expected = tokenizer.encode(text);
      expect(await pool.encodeText(text, neverAborted)).toEqual(expected);
      expect(await inline.encodeText(text, neverAborted)).toEqual(expected);
    }
  });

  test("for text whose author marked its special tokens", async () => {
    await using pool = await start();
    await using inline = await start({ inlineCharactersMax: 100 });
    const text = "<|begin_of_text|>hi<|eot|><|no such|>";
    const expected = tokenizer.encodeSegments(markedSegments(text, tokenizer));
    expect(expected).not.toEqual(tokenizer.encode(text));
    expect(await pool.encodeText(text, neverAborted, true)).toEqual(expected);
    expect(await inline.encodeText(text, neverAborted, true)).toEqual(expected);
    const packed = packPrompt({ kind: "text", text, isMarked: true });
    expect(await pool.encodePacked(packed, [], neverAborted)).toEqual(expected);
  });

  test("for conversations with images and tools, whose numbers keep their form", async () => {
    const local = new LocalPromptEncoder({
      tokenizer,
      template: await loadChatTemplate(model, tokenizer),
      patchesPerTile: 16,
    });
    await using pool = await start();
    const input = {
      ...ask([{ type: "image_url" }, { type: "text", text: "What?" }]),
      tools: [parseExactJson('{"minimum": 1.0, "id": 12345678901234567890}')],
    };
    const images = [{ rows: 1, cols: 2 }];
    expect(await pool.encodeChat(input, images, neverAborted)).toEqual(
      await local.encodeChat(input, images, neverAborted),
    );
  });

  test("for many prompts at once, each its own", async () => {
    await using pool = await start({ threads: 2 });
    const texts = Array.from({ length: 40 }, (_, i) => `${i} words `.repeat(i));
    const all = await Promise.all(texts.map((text) => pool.encodeText(text, neverAborted)));
    expect(all).toEqual(texts.map((text) => tokenizer.encode(text)));
  });

  test("for what is refused", async () => {
    await using pool = await start();
    const fault = { code: "invalid_argument", field: "messages" };
    await expect(pool.encodeChat(ask([{ type: "sound" }]), [], neverAborted)).rejects.toMatchObject(fault);
    await expect(pool.encodeChat(ask("x"), [{ rows: 1, cols: 1 }], neverAborted)).rejects.toMatchObject(fault);
  });
});

describe("a template", () => {
  test("that cannot be parsed is refused at the start", async () => {
    await expect(start({ template: plain("{% if %}") })).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("that loops for ever ends its own request at the deadline, and its thread is replaced", async () => {
    await using pool = await start({ template: plain(LOOPING), encodeMsMax: 5000 });
    expect(await failure(pool.encodeChat(ask("loop"), [], neverAborted))).toMatchObject({ code: "deadline_exceeded" });
    expect(await pool.encodeChat(ask("x"), [], neverAborted)).toEqual(tokenizer.encode("fine"));
  });
});

describe("a pool", () => {
  test("encodes a short prompt beside a long one", async () => {
    await using pool = await start({ threads: 2, encodeMsMax: 600_000, template: plain(LOOPING) });
    const looping = failure(pool.encodeChat(ask("loop"), [], neverAborted));
    expect(await pool.encodeText("short", neverAborted)).toEqual(tokenizer.encode("short"));
    await pool[Symbol.asyncDispose]();
    expect(await looping).toMatchObject({ code: "unavailable", message: "the prompt pool is closed" });
  });

  test("lets a caller go at once, also for text that needs no thread", async () => {
    await using pool = await start({ inlineCharactersMax: 100 });
    const gone = AbortSignal.abort(new Error("the client is gone"));
    await expect(pool.encodeText("a", gone)).rejects.toThrow("the client is gone");
    await expect(pool.encodeChat(ask("a"), [], gone)).rejects.toThrow("the client is gone");
  });
});
