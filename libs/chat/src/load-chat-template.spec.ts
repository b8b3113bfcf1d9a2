import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { BUILT_IN_TEMPLATE } from "./built-in-template.ts";
import { loadTemplateSource } from "./load-chat-template.ts";

async function sourceOf(files: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), "drover-template-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    return await loadTemplateSource(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
const config = (chat_template: unknown) => ({ "tokenizer_config.json": JSON.stringify({ chat_template }) });

test("a file of its own comes before the processor's, that before the tokenizer's, and the built-in format last", async () => {
  const jinja = { "chat_template.jinja": "own" };
  const processor = { "chat_template.json": JSON.stringify({ chat_template: "processor" }) };
  const defaultOf = async (files: Record<string, string>) => (await sourceOf(files)).templates.get("default");
  expect(await defaultOf({ ...jinja, ...processor, ...config("config") })).toBe("own");
  expect(await defaultOf({ ...processor, ...config("config") })).toBe("processor");
  expect(await defaultOf(config("config"))).toBe("config");
  expect(await defaultOf({})).toBe(BUILT_IN_TEMPLATE);
});

test("a list of named templates is all of them", async () => {
  const { templates } = await sourceOf(
    config([
      { name: "default", template: "a" },
      { name: "tool_use", template: "b" },
    ]),
  );
  expect([...templates]).toEqual([
    ["default", "a"],
    ["tool_use", "b"],
  ]);
});

test("templates in files of their own have those files' names, and the default one is not among them", async () => {
  const { templates } = await sourceOf({
    "chat_template.jinja": "a",
    "additional_chat_templates/tool_use.jinja": "b",
    "additional_chat_templates/default.jinja": "c",
    "additional_chat_templates/README.md": "d",
  });
  expect(Object.fromEntries(templates)).toEqual({ default: "a", tool_use: "b" });
});

test("tokens are given to templates whether they are texts or objects", async () => {
  const written = { bos_token: { content: "<s>" }, eos_token: "</s>" };
  const { variables } = await sourceOf({ "tokenizer_config.json": JSON.stringify(written) });
  expect(variables).toMatchObject({ bos_token: "<s>", eos_token: "</s>" });
  expect((await sourceOf({})).variables.bos_token).toBe("<|begin_of_text|>");
});

test("a template that is no template is refused, naming file and field", async () => {
  await expect(sourceOf(config(5))).rejects.toMatchObject({ code: "invalid_argument", field: "chat_template" });
  await expect(sourceOf(config([{ name: "default" }]))).rejects.toMatchObject({ field: "chat_template[0]" });
  await expect(sourceOf({ "tokenizer_config.json": "{" })).rejects.toThrow(/tokenizer_config.json is not valid JSON/);
  await expect(sourceOf({ "tokenizer_config.json": "[]" })).rejects.toThrow(/must hold an object/);
});

test("a template that is no file, such as a device, is refused by its path and never opened", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-template-"));
  await symlink("/dev/null", join(folder, "chat_template.jinja"));
  await expect(loadTemplateSource(folder)).rejects.toThrow(/chat_template.jinja cannot be read: it is no file$/);
  await rm(folder, { recursive: true });
});
