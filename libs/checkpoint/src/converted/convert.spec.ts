import { appendFile, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { shared, withoutReferenceData } from "../testing/reference-data.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { convertedFiles } from "./converted-sizes.ts";
import { MANIFEST, readManifest, WORK_FOLDER } from "./manifest.ts";
import { companions, convert, hashesOf, sourceFolder, testPacker } from "./testing/conversions.ts";

const JOURNAL = join(WORK_FOLDER, "journal.jsonl");

/** Converts and compares every file of weights with what shapes alone give. */
async function expectPredictedSizes(source: string): Promise<void> {
  await using out = await temporaryFolder({});
  const quantization = { bits: 4, blockSize: 32 } as const;
  await convert(source, out.path);
  await using checkpoint = await openCheckpoint(source);
  const files = convertedFiles(await loadModelConfig(source), checkpoint.tensors(), quantization);
  const written = Object.keys(await hashesOf(out.path)).filter((name) => /\.(weights|safetensors)$/.test(name));
  expect(files.map(({ file }) => file).sort()).toEqual(written.sort());
  for (const { file, byteCount, weightBytes, preparedBytes, overheadBytes } of files) {
    expect((await stat(join(out.path, file))).size).toBe(byteCount);
    expect(weightBytes + preparedBytes + overheadBytes).toBe(byteCount);
  }
}

test("what is written has the sizes that shapes alone give, to the byte", async () => {
  await using source = await sourceFolder();
  await expectPredictedSizes(source.path);
});

test.skipIf(withoutReferenceData)("so has the random Scout (needs ../shared)", async () => {
  await expectPredictedSizes(join(shared, "goldens/scout/checkpoint"));
});

test("the folder is a checkpoint by itself, and nothing else is left in it", async () => {
  await using source = await sourceFolder();
  await using out = await temporaryFolder({});
  expect(await convert(source.path, out.path)).toBe("converted");
  const names = Object.keys(await hashesOf(out.path));
  expect(names).toContain("config.json");
  expect(names.some((name) => name.startsWith(WORK_FOLDER) || name === "model.onnx")).toBe(false);
  for (const name of ["tokenizer.json", "chat_template.jinja"] as const) {
    expect(await readFile(join(out.path, name), "utf8")).toBe(companions[name]);
  }
  await using from = await openCheckpoint(source.path);
  await using to = await openCheckpoint(out.path);
  for (const { name } of to.tensors()) expect(await to.readBytes(name)).toEqual(await from.readBytes(name));
  expect(to.has("vision_model.class_embedding")).toBe(true);
  expect(to.has("language_model.model.layers.1.feed_forward.router.weight")).toBe(true);
  expect(to.has("language_model.model.layers.1.feed_forward.experts.down_proj")).toBe(false);
});

test("a conversion that was ended anywhere goes on, keeps what was finished, and ends with the same bytes", async () => {
  await using source = await sourceFolder();
  await using whole = await temporaryFolder({});
  await convert(source.path, whole.path);
  const expected = await hashesOf(whole.path);
  const fileCount = Object.keys(expected).filter((name) => /\.(weights|safetensors)$/.test(name)).length;
  for (let stopAt = 1; ; stopAt += 3) {
    await using out = await temporaryFolder({});
    let steps = 0;
    const first = convert(source.path, out.path, { stop: () => ++steps === stopAt });
    const stopped = await first.then(
      () => false,
      () => true,
    );
    if (!stopped) break;
    expect(await readManifest(out.path).catch((error: Error) => error.message)).toMatch(/unfinished conversion/);
    const shown: (string | null)[] = [];
    await convert(source.path, out.path, { stop: ({ file }) => shown.push(file) < 0 });
    // The file at which it was ended is the first that is written now; the last step says that all is done.
    expect(shown).toHaveLength(fileCount - stopAt + 2);
    expect(await hashesOf(out.path)).toEqual(expected);
  }
});

test("what a kill leaves is mended: a line cut off, a file without its record, one that is too short", async () => {
  await using source = await sourceFolder();
  await using whole = await temporaryFolder({});
  await convert(source.path, whole.path);
  const expected = await hashesOf(whole.path);
  const afterKill = async (spoil: (folder: string, records: string[]) => Promise<void>) => {
    await using out = await temporaryFolder({});
    let steps = 0;
    await expect(convert(source.path, out.path, { stop: () => ++steps === 9 })).rejects.toThrow();
    const journal = join(out.path, JOURNAL);
    await spoil(out.path, (await readFile(journal, "utf8")).trimEnd().split("\n"));
    expect(await convert(source.path, out.path)).toBe("converted");
    expect(await hashesOf(out.path)).toEqual(expected);
  };
  await afterKill(async (folder) => appendFile(join(folder, JOURNAL), '{"file":"layers/00'));
  await afterKill(async (folder, lines) => writeFile(join(folder, JOURNAL), `${lines.slice(0, -1).join("\n")}\n`));
  await afterKill(async (folder) => truncate(join(folder, "text.safetensors"), 10));
  await afterKill(async (folder) => rm(join(folder, "embedding.safetensors")));
  // A copy that was begun: right so far, wrong from some byte on, and longer than it is.
  for (const spoil of [
    (b: Buffer) => b.subarray(0, 100),
    (b: Buffer) => b.fill(0, 50),
    (b: Buffer) => Buffer.concat([b, b]),
  ]) {
    await afterKill(async (folder, [first = ""]) => {
      const text = await readFile(join(folder, "text.safetensors"));
      await writeFile(join(folder, WORK_FOLDER, "text.safetensors.part"), spoil(text));
      await rm(join(folder, "text.safetensors"));
      await writeFile(join(folder, JOURNAL), `${first}\n`);
    });
  }
  await afterKill(async (folder) => {
    // The scratch of a process that is no more.
    await mkdir(join(folder, WORK_FOLDER, "scratch-999999999"));
    await writeFile(join(folder, WORK_FOLDER, "scratch-999999999", "unit"), "x");
  });
});

test("a finished conversion is not done again, also where its last step was cut off", async () => {
  await using source = await sourceFolder();
  await using out = await temporaryFolder({});
  await convert(source.path, out.path);
  await mkdir(join(out.path, WORK_FOLDER));
  expect(await convert(source.path, out.path, { stop: () => true })).toBe("already converted");
  expect(await stat(join(out.path, WORK_FOLDER)).catch(() => undefined)).toBeUndefined();
});

test("a folder of another checkpoint, setting or CPU, or with anything else in it, is refused and left as it was", async () => {
  await using source = await sourceFolder();
  await using other = await sourceFolder(1);
  await using out = await temporaryFolder({});
  const refusals = async () => {
    const before = await hashesOf(out.path);
    await expect(convert(other.path, out.path)).rejects.toThrow(/--out: .* holds a conversion of another checkpoint/);
    await expect(convert(source.path, out.path, { bits: 8 })).rejects.toThrow(/to int4-32.*, and not to int8-32/);
    const packer = { ...testPacker, kind: "other" };
    await expect(convert(source.path, out.path, { packer })).rejects.toThrow(/packed by another kind of CPU/);
    expect(await hashesOf(out.path)).toEqual(before);
  };
  let steps = 0;
  await expect(convert(source.path, out.path, { stop: () => ++steps === 5 })).rejects.toThrow();
  await refusals();
  await convert(source.path, out.path);
  await refusals();
  await using full = await temporaryFolder({ "notes.txt": "mine" });
  await expect(convert(source.path, full.path)).rejects.toThrow(/is not empty and holds no conversion/);
  await expect(convert(out.path, full.path)).rejects.toThrow(/was converted already/);
  expect(Object.keys(await hashesOf(full.path))).toEqual(["notes.txt"]);
});

test("a source that lacks a tensor is refused before anything is written", async () => {
  await using source = await sourceFolder();
  await using out = await temporaryFolder({});
  const path = join(source.path, "model.safetensors");
  const bytes = await readFile(path);
  await writeFile(
    path,
    Buffer.from(bytes.toString("latin1").replace("layers.3.self_attn.o_proj", "layers.3.self_attn.x_proj"), "latin1"),
  );
  await expect(convert(source.path, out.path)).rejects.toThrow(
    /no tensor language_model.model.layers.3.self_attn.o_proj/,
  );
  expect(await readdir(out.path)).toEqual([]);
});

test("a manifest that is cut off, of another version, or spoiled is refused by its name", async () => {
  await using source = await sourceFolder();
  await using out = await temporaryFolder({});
  await convert(source.path, out.path);
  const path = join(out.path, MANIFEST);
  const text = await readFile(path, "utf8");
  const complaint = async (spoiled: string) => {
    await writeFile(path, spoiled);
    return await readManifest(out.path).catch((error: Error) => error.message);
  };
  expect(await complaint(text.slice(0, -20))).toMatch(/drover-converted.json is not valid JSON/);
  expect(await complaint(text.replace('"version":1', '"version":2'))).toMatch(/has format version 2; .* reads 1/);
  expect(await complaint(text.replace('"blockSize":32', '"blockSize":33'))).toMatch(/quantization is none/);
  expect(await complaint(text.replace('"byteCount":', '"byteCount":-'))).toMatch(/a record that is none/);
  expect(await complaint(text.replace(/"key":"Test/, '"key":"Te|st'))).toMatch(/a record that is none/);
  expect(await complaint("{}")).toMatch(/files is missing|has format version/);
  await rm(path);
  expect(await readManifest(out.path)).toBeNull();
});

test("a link to nothing beside the weights, as of a download that has not ended, is left out and ends no conversion", async () => {
  await using source = await sourceFolder();
  await using out = await temporaryFolder({});
  await symlink("../lost", join(source.path, "notes.txt"));
  expect(await convert(source.path, out.path)).toBe("converted");
  expect(await readdir(out.path)).toEqual(expect.arrayContaining(["tokenizer.json"]));
  expect(await readdir(out.path)).not.toContain("notes.txt");
});
