import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertCheckpoint, type Quantization, readManifest } from "@drover/checkpoint";
import { neverAborted } from "@drover/core";
import { drain, greedyTask, openLocalEngine } from "@drover/testkit";
import { expect, test } from "vitest";
import { MODEL_FORMS, storedModel } from "./stored-model.ts";

const prompts = [3, 32, 50].map((length, seed) => Array.from({ length }, (_, i) => (i * 37 + seed * 53) % 96));
const OUTPUT_TOKENS = 12;

/** Every prompt's greedy tokens with their log-probabilities, one prompt after the other. */
async function answers(folder: string, quantization: Quantization | null): Promise<string[]> {
  const local = await openLocalEngine(folder, { prefillRowsMax: 64, quantization });
  for (const [i, ids] of prompts.entries()) {
    const task = greedyTask(`r${i}`, ids, OUTPUT_TOKENS);
    expect(local.engine.place({ ...task, params: { ...task.params, topLogprobs: 1 } })).toBeUndefined();
    await drain(local);
  }
  return local.events.flatMap(({ event }) =>
    event.kind === "token" ? [`${event.tokenId} ${event.top.map(({ logprob }) => logprob)}`] : [],
  );
}

test.each(Object.entries(MODEL_FORMS))(
  "a model in %s answers as its twin of the same weights in f32 does",
  async (_, form) => {
    await using model = await storedModel(form);
    const expected = await answers(model.twin, null);
    expect(expected).toHaveLength(prompts.length * OUTPUT_TOKENS);
    expect(new Set(expected.map((one) => one.split(" ")[0])).size).toBeGreaterThan(3);
    expect(await answers(model.stored, null)).toEqual(expected);
  },
  60_000,
);

test("it is quantized and converted as its twin is, to the byte", async () => {
  const int4 = { bits: 4, blockSize: 32 } as const;
  await using model = await storedModel(MODEL_FORMS["w4a16 by compressed-tensors"]);
  expect(await answers(model.stored, int4)).toEqual(await answers(model.twin, int4));
  const out = await mkdtemp(join(tmpdir(), "drover-stored-"));
  try {
    const units = [];
    for (const source of [model.stored, model.twin]) {
      const packer = { kind: "none", pack: () => Promise.resolve(null) };
      const to = join(out, source === model.twin ? "twin" : "stored");
      await convertCheckpoint({
        source,
        out: to,
        quantization: int4,
        packer,
        onProgress: () => undefined,
        signal: neverAborted,
      });
      units.push((await readManifest(to))?.files.map(({ file, sha256 }) => `${file} ${sha256}`));
      expect(await answers(to, null)).toEqual(await answers(model.twin, int4));
    }
    expect(units[0]?.length).toBeGreaterThan(10);
    expect(units[0]).toEqual(units[1]);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});
