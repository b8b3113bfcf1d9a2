import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nameLibcAlone } from "./native.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-native-"));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text, "latin1");
const read = (name: string) => readFileSync(join(folder, name), "latin1");

test("a library asks for libc where it asked for what libc has taken in, and nothing moves in it", () => {
  mkdirSync(join(folder, "deep"));
  write("deep/a.node", "\0libdl.so.2\0librt.so.1\0libpthread.so.0\0");
  write("b.so.8.18", "x\0libresolv.so.2\0y");
  expect(nameLibcAlone(folder).sort()).toEqual([join(folder, "b.so.8.18"), join(folder, "deep/a.node")]);
  expect(read("deep/a.node")).toBe("\0libdl.so.2\0libc.so.6\0\0libpthread.so.0\0");
  expect(read("b.so.8.18")).toBe("x\0libc.so.6\0\0\0\0\0\0y");
});

test("longer names that end or begin alike stay, and so do files that are no libraries", () => {
  write("c.so", "\0mylibrt.so.1\0librt.so.10\0");
  write("d.js", "\0librt.so.1\0");
  expect(nameLibcAlone(folder)).toEqual([]);
  expect(read("c.so")).toBe("\0mylibrt.so.1\0librt.so.10\0");
  expect(read("d.js")).toBe("\0librt.so.1\0");
});
