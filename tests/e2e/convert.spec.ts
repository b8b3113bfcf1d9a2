import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const repository = join(import.meta.dirname, "../..");
const nano = join(repository, "models/nano");
const main = join(repository, "apps/drover/src/main.ts");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-convert-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Ended = Readonly<{ code: number | null; said: string }>;

/** Runs `drover convert`; `endWhen` is shown how many files are finished and may send a signal. */
function convert(args: readonly string[], out: string, endWhen?: (fileCount: number) => NodeJS.Signals | undefined) {
  const argv = ["--conditions=@drover/source", main, "convert", ...args, "--out", out];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const journal = join(out, ".converting/journal.jsonl");
  const poll = setInterval(async () => {
    const lines = (await readFile(journal, "utf8").catch(() => "")).split("\n").length - 2;
    const signal = endWhen?.(lines);
    if (signal === undefined) return;
    // Once: a second one would end it without a word.
    clearInterval(poll);
    child.kill(signal);
  }, 10);
  return new Promise<Ended>((done) => {
    child.once("close", (code) => {
      clearInterval(poll);
      done({ code, said });
    });
  });
}

async function hashesOf(root: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    if ((await stat(join(root, name))).isDirectory()) continue;
    const bytes = await readFile(join(root, name));
    hashes[name] = createHash("sha256").update(bytes).digest("hex");
  }
  return hashes;
}

test("a conversion that is killed and then interrupted goes on, and ends with the bytes of one that was not", async () => {
  const [whole, ended] = [join(folder, "whole"), join(folder, "ended")];
  const args = [nano, "--quantize", "int4"];
  expect(await convert(args, whole)).toMatchObject({ code: 0 });
  expect(await convert(args, ended, (count) => (count > 40 ? "SIGKILL" : undefined))).toMatchObject({ code: null });
  const interrupted = await convert(args, ended, (count) => (count > 150 ? "SIGINT" : undefined));
  expect(interrupted).toMatchObject({ code: 130, said: expect.stringMatching(/stopped; the same command goes on/) });
  expect(await convert(args, ended)).toMatchObject({ code: 0, said: expect.stringMatching(/is complete\n$/) });
  expect(await hashesOf(ended)).toEqual(await hashesOf(whole));
});

test("what makes no sense is said in a sentence, with exit status 2", async () => {
  const refusal = async (args: readonly string[], out: string) => {
    const { code, said } = await convert(args, out);
    expect(code).toBe(2);
    return said;
  };
  expect(await refusal([nano], join(folder, "x"))).toMatch(/--quantize is required/);
  expect(await refusal(["--quantize", "int4"], join(folder, "x"))).toMatch(/needs a checkpoint's folder/);
  expect(await refusal([folder, "--quantize", "int4"], join(folder, "x"))).toMatch(/config.json cannot be read/);
  expect(await refusal([nano, "--quantize", "int4"], nano)).toMatch(/is not empty and holds no conversion/);
});
