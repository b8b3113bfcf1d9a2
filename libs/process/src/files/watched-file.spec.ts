import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DroverError, silentLogger } from "@drover/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { watchFileText } from "./watched-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-watched-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A file that is seen between its being emptied and being written is empty. */
const refuseBad = (used: string[]) => (text: string) => {
  if (text === "") return;
  if (text === "bad") throw new DroverError("invalid_argument", "it is bad");
  used.push(text);
};

it("a file is used at once, again when it changes, and one that cannot be used changes nothing", async () => {
  const file = join(folder, "keys");
  await writeFile(file, "one");
  const used: string[] = [];
  const said: unknown[] = [];
  const logger = { ...silentLogger, error: (event: string, fields?: unknown) => void said.push([event, fields]) };
  using _watch = await watchFileText(file, { setting: "keys", use: refuseBad(used), logger, pollMs: 10 });
  expect(used).toEqual(["one"]);
  await writeFile(file, "bad");
  await expect.poll(() => said).toEqual([["file.refused", { setting: "keys", reason: "it is bad" }]]);
  await writeFile(file, "two");
  await expect.poll(() => used).toEqual(["one", "two"]);
});

it("a link that is turned to another file, as Kubernetes does it, is a change", async () => {
  await writeFile(join(folder, "a"), "one");
  await writeFile(join(folder, "b"), "two");
  const file = join(folder, "keys");
  await symlink("a", file);
  const used: string[] = [];
  using _watch = await watchFileText(file, { setting: "keys", use: refuseBad(used), logger: silentLogger, pollMs: 10 });
  await symlink("b", join(folder, "next"));
  await rename(join(folder, "next"), file);
  await expect.poll(() => used).toEqual(["one", "two"]);
});

it("a first file that is away or cannot be used is an error that names its setting", async () => {
  const options = { setting: "keys", use: refuseBad([]), logger: silentLogger };
  await expect(watchFileText(join(folder, "none"), options)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(/^--keys: .* cannot be read/),
  });
  await writeFile(join(folder, "bad"), "bad");
  await expect(watchFileText(join(folder, "bad"), options)).rejects.toMatchObject({ code: "invalid_argument" });
});
