import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { transpile } from "./transpile.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-transpile-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "a.ts");
const other = join(folder, "other.ts");
writeFileSync(other, "");

test("every text that names a source beside it names its JavaScript instead", () => {
  const source = `import { x } from "./other.ts";\nconst later = () => import("./other.ts");\nexport { later, x };`;
  const { code, named, programs } = transpile(file, source);
  expect(code).not.toContain(".ts");
  expect(code.match(/"\.\/other\.js"/g)).toHaveLength(2);
  expect(named).toEqual([other, other]);
  expect(programs).toEqual([]);
});

test("a source that is started as a program of its own is told apart", () => {
  const { code, programs } = transpile(file, `export const url = new URL("./other.ts", import.meta.url);`);
  expect(code).toContain(`new URL("./other.js", import.meta.url)`);
  expect(programs).toEqual([other]);
});

test("a text that only looks like a source stays as it is", () => {
  expect(transpile(file, `export const text = "./absent.ts";`).code).toContain(`"./absent.ts"`);
});

test("types vanish, and resources are ended in what Node 20 understands", () => {
  const { code } = transpile(file, `export function f(open: () => Disposable): void {\n  using held = open();\n}`);
  expect(code).not.toMatch(/using held|=> Disposable|\): void/);
  expect(code).toContain("__disposeResources");
});

test("a source that does not parse is refused with its name", () => {
  expect(() => transpile(file, "const = 1;")).toThrow(file);
});
