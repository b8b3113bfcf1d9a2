import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareOutFolder } from "./out-folder.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-out-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a folder is made where it is missing, and left as empty as it was", async () => {
  const out = join(folder, "a", "b");
  expect(await prepareOutFolder(out)).toEqual([join(folder, "a"), out]);
  expect(await prepareOutFolder(out)).toEqual([]);
  expect(readdirSync(out)).toEqual([]);
});

test("where nothing can be written, the flag is named with the reason", async () => {
  writeFileSync(join(folder, "file"), "");
  const refused = { code: "invalid_argument", message: expect.stringMatching(/^--out: nothing can be written to /) };
  await expect(prepareOutFolder(join(folder, "file"))).rejects.toMatchObject(refused);
  await expect(prepareOutFolder(join(folder, "file", "x"))).rejects.toMatchObject(refused);
  await expect(prepareOutFolder(join(folder, "x".repeat(300)))).rejects.toMatchObject(refused);
});

test.skipIf(!existsSync("/proc/self"))("a file system that makes no folders is refused at once", async () => {
  await expect(prepareOutFolder("/proc/x/y")).rejects.toMatchObject({ code: "invalid_argument" });
});
