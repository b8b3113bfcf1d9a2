import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolders, removeEmptyFolders, writeNewFiles } from "./made-folders.ts";

test("new files are written all or none, and what is there stays as it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-new-"));
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  await writeFile(b, "mine");
  const files = [
    { path: a, text: "1", mode: 0o600 },
    { path: b, text: "2" },
  ];
  await expect(writeNewFiles(files)).rejects.toMatchObject({ code: "EEXIST" });
  expect([await readdir(folder), await readFile(b, "utf8")]).toEqual([["b"], "mine"]);
  await rm(b);
  await writeNewFiles(files);
  expect([await readFile(a, "utf8"), await readFile(b, "utf8"), (await stat(a)).mode & 0o777]).toEqual([
    "1",
    "2",
    0o600,
  ]);
  await rm(folder, { recursive: true });
});

test("folders that were made go again as far as nothing was put in them, and no others", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-made-"));
  const made = await makeFolders(join(folder, "a", "b", "c"));
  await writeFile(join(folder, "a", "mine"), "");
  await removeEmptyFolders(made);
  expect(await readdir(folder, { recursive: true })).toEqual(["a", join("a", "mine")]);
  await removeEmptyFolders(await makeFolders(join(folder, "d", "e")));
  expect(await readdir(folder)).toEqual(["a"]);
  await rm(folder, { recursive: true });
});
