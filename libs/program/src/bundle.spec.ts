import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BUNDLE_FOLDER, BUNDLE_MARK, bundledFile, freshBundle } from "./bundle.ts";

let root = "";

/** Writes a file whose time, and whose folders', is so many seconds. */
function write(path: string, seconds: number, text = ""): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  for (let at = file; at !== root; at = dirname(at)) utimesSync(at, seconds, seconds);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "drover-bundle-"));
  write("pnpm-lock.yaml", 100);
  write("apps/router/src/main.ts", 100);
  write("libs/core/src/index.ts", 100);
  write(`${BUNDLE_FOLDER}/made/apps/router/src/program.mjs`, 200);
  write(`${BUNDLE_FOLDER}/${BUNDLE_MARK}`, 200, "made\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it("is the folder that the mark names, while no source is newer than it", () => {
  expect(freshBundle(root)).toBe(join(root, BUNDLE_FOLDER, "made"));
});

it.each([
  ["a source that was written", "libs/core/src/index.ts"],
  ["a source that was added", "libs/core/src/deep/added.ts"],
  ["other packages", "pnpm-lock.yaml"],
])("is none after %s", (_, path) => {
  write(path, 300);
  expect(freshBundle(root)).toBeUndefined();
});

it("is none after a source was removed, which its folder tells", () => {
  rmSync(join(root, "libs/core/src/index.ts"));
  expect(freshBundle(root)).toBeUndefined();
});

it("does not look into packages", () => {
  write("libs/core/node_modules/other/index.js", 300);
  for (const folder of ["libs/core", "libs"]) utimesSync(join(root, folder), 100, 100);
  expect(freshBundle(root)).toBe(join(root, BUNDLE_FOLDER, "made"));
});

it("is none without a mark, or where the folder that it names is gone", () => {
  rmSync(join(root, BUNDLE_FOLDER, "made"), { recursive: true });
  expect(freshBundle(root)).toBeUndefined();
  rmSync(join(root, BUNDLE_FOLDER), { recursive: true });
  expect(freshBundle(root)).toBeUndefined();
});

it("has a source's path, with the ending of a module", () => {
  expect(bundledFile("/b", "apps/router/src/program.ts")).toBe("/b/apps/router/src/program.mjs");
});
