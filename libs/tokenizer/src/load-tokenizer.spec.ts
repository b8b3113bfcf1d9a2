import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-tokenizer-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what is no file, a device or a folder, is refused by its path and never opened", async () => {
  symlinkSync("/dev/null", join(folder, "tokenizer.json"));
  await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer.json cannot be read: it is no file$/);
  rmSync(join(folder, "tokenizer.json"));
  mkdirSync(join(folder, "tokenizer.model"));
  await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer.model cannot be read: it is no file$/);
});

test("a folder without a tokenizer says which files are looked for", async () => {
  await expect(loadTokenizer(folder)).rejects.toThrow(/has neither tokenizer.json nor tokenizer.model$/);
});
