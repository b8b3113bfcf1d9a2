import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { programs, withPrograms } from "./entries.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-entries-"));
const at = (path: string) => join(folder, path);
const starting = (path: string) => `const PROGRAM = new URL("${path}", import.meta.url);\n`;

beforeAll(() => {
  for (const path of ["deep", "testing", "node_modules"]) mkdirSync(at(path));
  writeFileSync(at("thread.ts"), "");
  writeFileSync(at("a.ts"), starting("./thread.ts") + starting("./absent.ts") + starting("./style.css"));
  writeFileSync(at("deep/b.ts"), starting("../thread.ts") + starting("./c.ts"));
  writeFileSync(at("deep/c.ts"), "");
  for (const left of ["a.spec.ts", "testing/d.ts", "node_modules/e.ts"]) writeFileSync(at(left), starting("./a.ts"));
});
afterAll(() => rmSync(folder, { recursive: true }));

it("finds each module that a source starts as a program once, and none that tests or packages start", () => {
  expect(programs([folder])).toEqual([at("deep/c.ts"), at("thread.ts")]);
});

it("puts programs in the place of their URLs, and leaves other files' as they are", () => {
  const text = starting("../thread.ts") + starting("./guard.sh") + starting("./absent.ts");
  expect(withPrograms(at("deep/b.ts"), text, (program) => `<${program}>`)).toBe(
    `const PROGRAM = <${at("thread.ts")}>;\n${starting("./guard.sh")}${starting("./absent.ts")}`,
  );
});
