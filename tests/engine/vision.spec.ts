import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadModelConfig, loadVisionConfig, openCheckpoint } from "@drover/checkpoint";
import type { FeatureSource, PromptImage, RequestEvent } from "@drover/core";
import { VisionEncoder } from "@drover/onnx";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import sharp from "sharp";
import { expect, test } from "vitest";

const shared = join(import.meta.dirname, "../../../shared");
/** Never in CI, where the reference data's absence is a failure. */
const withoutReferenceData = !existsSync(shared) && process.env.CI === undefined;

/** [checkpoint, goldens], in the folder of reference data. */
const CHECKPOINTS = [
  ["nano", "goldens/nano"],
  ["nano-fp8", "goldens/nano-fp8"],
  ["nano-ct-fp8", "goldens/nano-ct-fp8"],
  ["goldens/scout/checkpoint", "goldens/scout"],
] as const;
const TOLERANCE = 2e-3;
const TOP = 10;

type Golden = Readonly<{
  name: string;
  input_ids: readonly number[];
  tiles: readonly string[];
  prompt_logprobs: readonly (number | null)[];
  top: readonly (readonly [id: number, logprob: number])[];
  greedy: readonly number[];
  margins: readonly number[];
}>;

async function goldensWithImages(folder: string): Promise<Golden[]> {
  const lines = (await readFile(join(folder, "goldens.jsonl"), "utf8")).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Golden).filter(({ tiles }) => tiles?.length > 0);
}

/** Rows of the prompt that hold patches. */
function patchRuns(ids: readonly number[], patchId: number): PromptImage["runs"] {
  const runs: { start: number; count: number }[] = [];
  for (const [i, id] of ids.entries()) {
    if (id !== patchId) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.count === i) last.count += 1;
    else runs.push({ start: i, count: 1 });
  }
  return runs;
}

/** What the engine says of one golden, whose pictures' features its source gives. */
async function answer(local: LocalEngine, golden: Golden, patchId: number) {
  const task = greedyTask(golden.name, golden.input_ids, golden.greedy.length);
  const images = [
    {
      contentHash: createHash("sha256").update(golden.name).digest("hex"),
      holder: "",
      runs: patchRuns(golden.input_ids, patchId),
    },
  ];
  const params = { ...task.params, topLogprobs: TOP, promptTopLogprobs: 0 };
  expect(local.engine.place({ ...task, images, params })).toBeUndefined();
  // The features come in their own time.
  await new Promise((done) => setImmediate(done));
  await drain(local);
  return readEvents(local.events.filter(({ requestId }) => requestId === golden.name));
}

function readEvents(events: readonly RequestEvent[]) {
  const promptLogprobs: number[] = [];
  const tokens: number[] = [];
  const tops: Map<number, number>[] = [];
  for (const { event } of events) {
    if (event.kind === "prompt") promptLogprobs.push(...event.logprobs);
    if (event.kind !== "token") continue;
    tokens.push(event.tokenId);
    tops.push(new Map(event.top.map(({ tokenId, logprob }) => [tokenId, logprob])));
  }
  return { promptLogprobs, tokens, tops };
}

test.skipIf(withoutReferenceData).each(CHECKPOINTS)(
  "the features of %s's reference tiles give the reference's log-probabilities",
  async (checkpointFolder, goldenFolder) => {
    const directory = join(shared, checkpointFolder);
    const vision = await loadVisionConfig(directory);
    const patchId = (await loadModelConfig(directory)).imageTokenId;
    if (vision === undefined || patchId === undefined) throw new Error("the reference reads images");
    await using checkpoint = await openCheckpoint(directory);
    using encoder = await VisionEncoder.load(checkpoint, vision, { threads: 1 });
    let rows_aD: Float32Array;
    const features: FeatureSource = { features: () => Promise.resolve(rows_aD) };
    const local = await openLocalEngine(directory, { prefillRowsMax: 64, features });
    const goldens = await goldensWithImages(join(shared, goldenFolder));
    expect(goldens.length).toBeGreaterThan(0);
    for (const golden of goldens) {
      const tiles = await Promise.all(
        golden.tiles.map((tile) =>
          sharp(join(shared, goldenFolder, tile))
            .removeAlpha()
            .raw()
            .toBuffer(),
        ),
      );
      rows_aD = encoder.encode(tiles.length, Buffer.concat(tiles));
      const { promptLogprobs, tokens, tops } = await answer(local, golden, patchId);
      for (const [i, logprob] of golden.prompt_logprobs.entries())
        if (logprob !== null) expect(Math.abs((promptLogprobs[i] ?? Number.NaN) - logprob)).toBeLessThan(TOLERANCE);
      for (const [id, logprob] of golden.top)
        expect(Math.abs((tops[0]?.get(id) ?? Number.NaN) - logprob)).toBeLessThan(TOLERANCE);
      const sure = golden.margins.findIndex((margin) => margin <= 1e-3);
      const compared = sure < 0 ? golden.greedy.length : sure;
      expect(tokens.slice(0, compared)).toEqual(golden.greedy.slice(0, compared));
    }
  },
);
