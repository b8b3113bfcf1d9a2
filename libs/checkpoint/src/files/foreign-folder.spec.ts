import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { checkModel } from "../check/check-model.ts";
import { surveyTensors } from "../check/tensor-survey.ts";
import { loadModelConfig } from "../config/model-config.ts";
import { releasedStyle } from "../testing/configs.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { recognizeFolder } from "./foreign-folder.ts";

/** A path as a command resolves it from what was written. */
const written = (text: string) => join(process.cwd(), text);

test.each([
  [
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    /if it is a name on the Hugging Face hub, run hf download meta-llama\/Llama-4-Scout-17B-16E-Instruct --local-dir Llama-4-Scout-17B-16E-Instruct and/,
  ],
  [
    "hf://meta-llama/Llama-4-Scout-17B-16E",
    /not addresses: run hf download meta-llama\/Llama-4-Scout-17B-16E --local-dir Llama-4-Scout-17B-16E and/,
  ],
  [
    "https://huggingface.co/RedHatAI/Scout.w4a16/tree/main",
    /run hf download RedHatAI\/Scout.w4a16 --local-dir Scout.w4a16 and/,
  ],
  ["libs/no-such-model", /^there is no such folder$/],
  ["one", /^there is no such folder$/],
  ["../a/b", /^there is no such folder$/],
])("%s, which is no folder, is told with the next command", async (text, sentence) => {
  expect(await recognizeFolder(written(text))).toMatch(sentence);
  await expect(loadModelConfig(written(text))).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(/config.json cannot be read: /),
  });
});

test.each<[string, Record<string, string>, RegExp]>([
  ["an empty one", {}, /is empty/],
  ["GGUF", { "scout-Q4_K_M.gguf": "" }, /scout-Q4_K_M.gguf is GGUF, .*safetensors form of the model/],
  [
    "Meta's own",
    { "consolidated.00.pth": "", "params.json": "{}", "tokenizer.model": "" },
    /consolidated.00.pth is Meta's own form/,
  ],
  [
    "LoRA",
    { "adapter_config.json": '{"base_model_name_or_path": "meta-llama/Llama-4"}', "adapter_model.safetensors": "" },
    /is a LoRA adapter; merge it into its base "meta-llama\/Llama-4"/,
  ],
  ["pickles", { "pytorch_model-00001-of-00050.bin": "" }, /PyTorch's pickled weights/],
  ["OpenVINO", { "openvino_model.bin": "" }, /openvino_model.bin is OpenVINO's/],
  ["other frameworks", { ".metadata": "", "__0_0.distcp": "" }, /__0_0.distcp is weights of another framework/],
  ["weights alone", { "model.safetensors": "" }, /config.json and tokenizer .* were not copied/],
])("a folder without config.json is told for what it is: %s", async (_, files, sentence) => {
  await using folder = await temporaryFolder(files);
  expect(await recognizeFolder(folder.path)).toMatch(sentence);
});

test("a folder of the hub's cache, or one that has the checkpoint in it, is told with the one to name", async () => {
  await using folder = await temporaryFolder({});
  const snapshot = join(folder.path, "models--meta-llama--Scout", "snapshots", "abc123");
  await mkdir(snapshot, { recursive: true });
  await writeFile(join(snapshot, "config.json"), "{}");
  expect(await recognizeFolder(folder.path)).toContain(`name ${snapshot}`);
  expect(await recognizeFolder(join(snapshot, "../.."))).toContain(`name ${snapshot}`);
  await rm(join(folder.path, "models--meta-llama--Scout"), { recursive: true });
  await mkdir(join(folder.path, "scout"));
  await writeFile(join(folder.path, "scout", "config.json"), "{}");
  expect(await recognizeFolder(folder.path)).toBe(`name ${join(folder.path, "scout")}`);
});

test("a folder of folders of foreign weights is told for what these are", async () => {
  await using folder = await temporaryFolder({ "README.md": "" });
  await mkdir(join(folder.path, "Q4_K_M"));
  await writeFile(join(folder.path, "Q4_K_M", "scout-00001-of-00002.gguf"), "");
  expect(await recognizeFolder(folder.path)).toMatch(/^in Q4_K_M scout-00001-of-00002.gguf is GGUF/);
});

test("a cache without a snapshot names the download that has not ended", async () => {
  await using folder = await temporaryFolder({});
  await mkdir(join(folder.path, "models--meta-llama--Scout", "blobs"), { recursive: true });
  expect(await recognizeFolder(folder.path)).toMatch(/not ended: run hf download meta-llama\/Scout --local-dir Scout/);
});

test("files are told for what they are", async () => {
  await using folder = await temporaryFolder({ "a.gguf": "", "model.safetensors": "", "notes.txt": "" });
  expect(await recognizeFolder(join(folder.path, "a.gguf"))).toMatch(/a.gguf is GGUF/);
  expect(await recognizeFolder(join(folder.path, "model.safetensors"))).toMatch(/name its folder/);
  expect(await recognizeFolder(join(folder.path, "notes.txt"))).toMatch(/a checkpoint is a folder/);
  expect(relative(folder.path, join(folder.path, "a.gguf"))).toBe("a.gguf");
});

test.each<[string, Record<string, string>, RegExp]>([
  [
    "pickles",
    { "pytorch_model.bin": "" },
    /model.safetensors cannot be opened: pytorch_model.bin is PyTorch's pickled weights/,
  ],
  ["GGUF", { "scout.gguf": "" }, /scout.gguf is GGUF/],
  ["shards without their index", { "model-00001-of-00002.safetensors": "" }, /no model.safetensors.index.json/],
])("weights that Drover does not read are told for what they are, by plan too: %s", async (_, files, sentence) => {
  await using folder = await temporaryFolder({ "config.json": JSON.stringify(releasedStyle), ...files });
  await expect(checkModel(folder.path)).rejects.toThrow(sentence);
  await expect(surveyTensors(folder.path, neverAborted)).rejects.toThrow(sentence);
});

const POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

test.each([
  ["config.json", POINTER, /config.json is a pointer of Git LFS/],
  ["tokenizer.json", POINTER, /tokenizer.json is a pointer of Git LFS/],
  ["chat_template.jinja", POINTER, /chat_template.jinja is a pointer of Git LFS/],
  ["processor_config.json", "<!DOCTYPE html><html>", /processor_config.json is a web page, not the file/],
  ["model.safetensors.index.json", POINTER, /index.json is a pointer of Git LFS/],
  ["model.safetensors", "GGUF\x03\0\0\0".padEnd(64, "\0"), /model.safetensors: is GGUF/],
  ["model.safetensors", "PK\x03\x04".padEnd(64, "\0"), /model.safetensors: is pickled/],
  ["model.safetensors", "<html><body>Access to the model is restricted", /model.safetensors: is a web page/],
])("what stands in the place of %s is told for what it is", async (name, text, sentence) => {
  await using folder = await temporaryFolder({ "config.json": JSON.stringify(releasedStyle), [name]: text });
  await expect(checkModel(folder.path)).rejects.toThrow(sentence);
});

test("a shard that is not there says how to get it", async () => {
  await using folder = await temporaryFolder({
    "config.json": JSON.stringify(releasedStyle),
    "model.safetensors.index.json": JSON.stringify({ weight_map: { a: "model-00002-of-00002.safetensors" } }),
  });
  await expect(checkModel(folder.path)).rejects.toThrow(
    /model-00002-of-00002.safetensors cannot be opened: it is not there; .*run its download again/,
  );
});

test("a pointer of Git LFS is no file of weights, and says how to get it", async () => {
  const pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
  await using folder = await temporaryFolder({
    "config.json": JSON.stringify(releasedStyle),
    "model.safetensors": pointer,
  });
  await expect(checkModel(folder.path)).rejects.toThrow(
    /model.safetensors: is a pointer of Git LFS, not the file: run git lfs pull/,
  );
});

// Root may read everything.
test.skipIf(process.getuid?.() === 0)(
  "a folder of another user is told of, also in the config's own sentence",
  async () => {
    await using files = await temporaryFolder({});
    const folder = files.path;
    await chmod(folder, 0o000);
    expect(await recognizeFolder(folder)).toBe("this user may not read the folder");
    await expect(loadModelConfig(folder)).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/config.json cannot be read: this user may not read the folder$/),
    });
    await chmod(folder, 0o700);
  },
);
