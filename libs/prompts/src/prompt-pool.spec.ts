import { join } from "node:path";
import {
  LocalPromptEncoder,
  loadChatTemplate,
  loadTemplateSource,
  parseExactJson,
  type TemplateSource,
} from "@drover/chat";
import { neverAborted } from "@drover/core";
import { loadTokenizer } from "@drover/tokenizer";
import { describe, expect, test } from "vitest";
import { PromptPool, type PromptPoolOptions } from "./prompt-pool.ts";

const model = join(import.meta.dirname, "../../../models/nano");
const tokenizer = await loadTokenizer(model);
const template = await loadTemplateSource(model);
const program = new URL("./testing/scripted-thread.ts", import.meta.url);

const start = (options: Partial<PromptPoolOptions> = {}) =>
  PromptPool.start({ tokenizer, template, patchesPerTile: 16, threads: 1, inlineCharactersMax: 0, ...options });
const scripted = (options: Partial<PromptPoolOptions> = {}) => start({ program, ...options });
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
    const loops = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
    await using pool = await start({
      template: plain(`{% if messages[0].content == 'loop' %}${loops}{% endif %}fine`),
      encodeMsMax: 5000,
    });
    expect(await failure(pool.encodeChat(ask("loop"), [], neverAborted))).toMatchObject({ code: "deadline_exceeded" });
    expect(await pool.encodeChat(ask("x"), [], neverAborted)).toEqual(tokenizer.encode("fine"));
  });
});

describe("a thread", () => {
  test.each(["exit", "throw"])("that ends by %s fails its own prompt alone and is replaced", async (how) => {
    await using pool = await scripted();
    const [dead, next] = await Promise.all([
      failure(pool.encodeText(how, neverAborted)),
      pool.encodeText("after", neverAborted),
    ]);
    expect(dead).toMatchObject({ code: "internal" });
    expect(next).toEqual(Uint32Array.of(5));
  });

  test("that hangs is ended, and does not keep others from theirs", async () => {
    await using pool = await scripted({ threads: 2, encodeMsMax: 4000 });
    const hanging = failure(pool.encodeText("hang", neverAborted));
    expect(await pool.encodeText("abc", neverAborted)).toEqual(Uint32Array.of(3));
    expect(await hanging).toMatchObject({ code: "deadline_exceeded" });
    expect(await pool.encodeText("abcd", neverAborted)).toEqual(Uint32Array.of(4));
  });
});

describe("a pool's queue", () => {
  test("refuses as overloaded what it cannot hold, and takes more when a place is given up", async () => {
    await using pool = await scripted({ queueMax: 1 });
    const running = failure(pool.encodeText("wait", neverAborted));
    const gone = new AbortController();
    const waiting = failure(pool.encodeText("a", gone.signal));
    await expect(pool.encodeText("b", neverAborted)).rejects.toMatchObject({
      code: "overloaded",
      retryAfterMs: expect.any(Number),
    });
    const reason = new Error("the client is gone");
    gone.abort(reason);
    expect(await waiting).toBe(reason);
    const next = failure(pool.encodeText("c", neverAborted));
    await pool[Symbol.asyncDispose]();
    expect(await running).toMatchObject({ code: "unavailable" });
    expect(await next).toMatchObject({ code: "unavailable" });
    await expect(pool.encodeText("d", neverAborted)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("forgets whom a running prompt was for when that one leaves", async () => {
    await using pool = await scripted({ threads: 2 });
    const gone = new AbortController();
    const running = failure(pool.encodeText("wait", gone.signal));
    const reason = new Error("the client is gone");
    gone.abort(reason);
    expect(await running).toBe(reason);
    expect(await pool.encodeText("ab", neverAborted)).toEqual(Uint32Array.of(2));
  });
});
