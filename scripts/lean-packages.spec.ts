import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { forgetLean, makeLean } from "./lean-packages.mjs";

const root = mkdtempSync(join(tmpdir(), "drover-lean-"));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (path: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), "x");
};
const filesBelow = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();

test("what running reads is left, and of what it never reads only licences", () => {
  const one = "node_modules/.pnpm/one@1.0.0/node_modules/one";
  const runtime = "node_modules/.pnpm/onnxruntime-node@1.0.0/node_modules/onnxruntime-node/bin/napi-v6";
  const own = `${runtime}/${process.platform}/${process.arch}/libonnxruntime.so.1`;
  const kept = [
    ...["index.js", "index.mjs", "index.cjs", "package.json", "LICENSE.md", "NOTICE.md", "lua/add.lua", "data.wasm"],
    ...["x.node", "map.js", "ts.js"],
  ];
  const gone = ["index.d.ts", "index.d.mts", "src/index.ts", "index.js.map", "README.md", "x.js.flow"];
  for (const name of [...kept, ...gone]) write(`${one}/${name}`);
  for (const path of [own, `${runtime}/${process.platform}/other/l.so`, `${runtime}/other/${process.arch}/l.so`])
    write(path);
  makeLean(root);
  expect(filesBelow("node_modules/.pnpm")).toEqual([...kept.map((name) => `${one}/${name}`), own].sort());
});

test("a link out of the packages is not followed", () => {
  write("libs/a/src/index.ts");
  mkdirSync(join(root, "node_modules/.pnpm/one@1/node_modules"), { recursive: true });
  symlinkSync(join(root, "libs/a"), join(root, "node_modules/.pnpm/one@1/node_modules/a"));
  makeLean(root);
  expect(filesBelow("libs")).toEqual(["libs/a/src/index.ts"]);
});

test("lean packages are installed anew by who needs all, and whole ones are kept", () => {
  write("node_modules/.pnpm/one@1/node_modules/one/index.js");
  forgetLean(root);
  expect(filesBelow("node_modules")).toHaveLength(1);
  makeLean(root);
  forgetLean(root);
  expect(existsSync(join(root, "node_modules"))).toBe(false);
});
