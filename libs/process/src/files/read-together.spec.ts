import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readTogether } from "./read-together.ts";

const NAMES = ["tls.crt", "tls.key", "ca.crt"];
const READS = 300;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-together-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Turns the folder to another version at once, as Kubernetes does with a Secret. */
async function turn(version: string): Promise<void> {
  await symlink(version, join(folder, "next"));
  await rename(join(folder, "next"), join(folder, "data"));
}

it("files that are turned to another version while they are read are of one version", async () => {
  for (const version of ["a", "b"]) {
    await mkdir(join(folder, version));
    for (const name of NAMES) await writeFile(join(folder, version, name), version);
  }
  await turn("a");
  const paths = NAMES.map((name) => join(folder, "data", name));
  const mixed: string[] = [];
  for (let count = 0; count < READS; count++) {
    const reading = readTogether(paths, "cluster-tls");
    // Somewhere in the midst of it.
    for (let turns = count % 8; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    await turn(count % 2 === 0 ? "b" : "a");
    const texts = await reading;
    if (new Set(texts).size > 1) mixed.push(texts.join(""));
  }
  expect(mixed).toEqual([]);
});

it("of several files that cannot be read the first one is named", async () => {
  const paths = NAMES.map((name) => join(folder, name));
  for (let count = 0; count < 20; count++)
    await expect(readTogether(paths, "cluster-tls")).rejects.toThrow(/^--cluster-tls: .*tls.crt cannot be read/);
});
