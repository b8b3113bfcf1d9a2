import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../testing/reference-data.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { loadGenerationConfig } from "./generation-config.ts";

const model = { model_type: "llama4", text_config: { bos_token_id: 1, eos_token_id: [2, 3], pad_token_id: 4 } };

async function load(generation: unknown, config: unknown = model) {
  await using folder = await temporaryFolder({
    "config.json": JSON.stringify(config),
    ...(generation === undefined ? {} : { "generation_config.json": JSON.stringify(generation) }),
  });
  return await loadGenerationConfig(folder.path);
}

test("the checkpoint's own defaults are read, one end token or several", async () => {
  const sampled = { bos_token_id: 7, eos_token_id: 8, do_sample: true, temperature: 0.6, top_p: 0.9, top_k: 40 };
  expect(await load(sampled)).toEqual({
    bosTokenId: 7,
    eosTokenIds: [8],
    padTokenId: 4,
    doSample: true,
    temperature: 0.6,
    topP: 0.9,
    topK: 40,
    maxNewTokens: undefined,
  });
  expect((await load({ eos_token_id: [8, 9], max_new_tokens: 5 })).eosTokenIds).toEqual([8, 9]);
});

test("without the file the ids are config.json's, and nothing is sampled", async () => {
  expect(await load(undefined)).toMatchObject({ bosTokenId: 1, eosTokenIds: [2, 3], padTokenId: 4, doSample: false });
  const whole = { model_type: "llama4", eos_token_id: [6, 7], text_config: { bos_token_id: 1 } };
  expect(await load({ eos_token_id: null }, whole)).toMatchObject({ bosTokenId: 1, eosTokenIds: [6, 7] });
  expect(await load(undefined, { model_type: "llama4_text", eos_token_id: 5 })).toMatchObject({ eosTokenIds: [5] });
  expect(await load(undefined, { model_type: "llama4_text" })).toMatchObject({ eosTokenIds: [] });
});

test("wrong values are refused by file and field", async () => {
  await expect(load({ eos_token_id: "x" })).rejects.toThrow(/generation_config.json: eos_token_id/);
  await expect(load({ eos_token_id: [1, -2] })).rejects.toThrow(/generation_config.json: eos_token_id/);
  await expect(load({ temperature: "hot" })).rejects.toThrow(/generation_config.json: temperature must be a number/);
  await expect(load(undefined, { eos_token_id: 1.5 })).rejects.toThrow(/config.json: eos_token_id/);
});

test("the shipped model ends at its three end tokens", async () => {
  const config = await loadGenerationConfig(join(repository, "models/nano"));
  expect(config).toMatchObject({ eosTokenIds: [4078, 4084, 4085], doSample: false });
});
