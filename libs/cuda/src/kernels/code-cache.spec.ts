import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { CodeCache } from "./code-cache.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-code-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Counts, and makes code that says what it was made of. */
function compiler(version: string) {
  const made: string[] = [];
  return {
    made,
    version,
    compile: (source: string, options: readonly string[]) => {
      made.push(source);
      return new TextEncoder().encode(`${version} ${source} ${options.join()}`);
    },
  };
}

test("code is compiled once for each source, options and compiler, by whoever is first", () => {
  const one = compiler("13.0");
  const code = new CodeCache(one, folder).code("a", ["x"]);
  expect(new CodeCache(one, folder).code("a", ["x"])).toEqual(code);
  expect(one.made).toEqual(["a"]);
  new CodeCache(one, folder).code("a", ["y"]);
  new CodeCache(one, folder).code("b", ["x"]);
  expect(one.made).toEqual(["a", "a", "b"]);
  const other = compiler("13.1");
  expect(new TextDecoder().decode(new CodeCache(other, folder).code("a", ["x"]))).toBe("13.1 a x");
});

test("a file that was not written whole is made again", () => {
  const one = compiler("13.0");
  const code = new CodeCache(one, folder).code("c", []);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), code.subarray(0, 3));
  expect(new TextDecoder().decode(new CodeCache(one, folder).code("c", []))).toBe("13.0 c ");
  expect(one.made).toEqual(["c", "c"]);
});
