import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { BlockHashes, KvCache, type KvKind, segmentRowsOf, servedModelSeed } from "@drover/kv";
import { tinyModel } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { openCuda } from "../driver/open-cuda.ts";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { CudaText } from "./cuda-text.ts";
import { pageTable } from "./page-table.ts";

const KV_BYTES = 8 * 2 ** 20;

/** Greedy tokens and their logits behind a prompt, of `parts` rows a step, beside another sequence where `company` is given. */
async function answer(text: CudaText, cache: KvCache, parts: readonly (readonly number[])[], company: boolean) {
  const open = () => cache.open(new BlockHashes(servedModelSeed("", "")), { promptLength: 1, reuse: false });
  const [sequence, other] = [open(), open()];
  const run = (of: typeof sequence, ids: readonly number[]) => {
    cache.reserve(of, ids.length);
    const table = (kind: KvKind) =>
      pageTable(text.store, (segment) => cache.parts(of, kind, segment), {
        segmentRows: segmentRowsOf(text.geometry, kind === "global"),
        firstPosition: 0,
        end: of.length + ids.length,
        writeFrom: 0,
      });
    const tables = { global: table("global"), local: table("local") };
    return { position: of.length, tokenIds: Int32Array.from(ids), tables };
  };
  let last: number[] = [];
  for (const ids of parts) {
    const runs = company ? [run(other, [5]), run(sequence, ids)] : [run(sequence, ids)];
    const row = runs.reduce((sum, { tokenIds }) => sum + tokenIds.length, -1);
    const { rows } = await text.step(runs, [], {
      wanted: Int32Array.of(row),
      asked: Int32Array.of(9),
      topCount: 3,
      whole: [],
    });
    cache.commit(sequence, ids.length);
    if (company) cache.commit(other, 1);
    last = rows.flatMap((each) => [...each.topIds, ...each.topValues, each.logSumExp, each.askedLogit]);
  }
  for (const each of [sequence, other]) cache.close(each, false);
  return last;
}

describe.skipIf(!hasCpuCard)("a tiny model on a CPU in a card's place (needs g++)", () => {
  test("a row's logits have the same bits in one step or several, alone or beside others", async () => {
    await using folder = await tinyModel(3);
    const config = await loadModelConfig(folder.path);
    await using checkpoint = await openCheckpoint(folder.path);
    const cuda = await openCuda(0, cpuCardLibraries());
    const free = cuda.device.freeBytes;
    const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
    const options = {
      precision: "f32",
      kv: "f32",
      kvBytesMax: KV_BYTES,
      rowsMax: 64,
      cacheFolder: cpuCardKernels(),
    } as const;
    const text = await CudaText.load(cuda, config, source, options);
    const cache = new KvCache(text.geometry, text.store, { bytesMax: KV_BYTES, prefixCache: false });
    // Behind the end of a chunk.
    const prompt = Array.from({ length: 35 }, (_, i) => (i * 37) % config.vocabSize);
    const whole = await answer(text, cache, [prompt], false);
    expect(await answer(text, cache, [prompt.slice(0, 30), prompt.slice(30)], true)).toEqual(whole);
    // The last row alone is a step whose rows are all wanted: a graph.
    const short = await answer(text, cache, [prompt.slice(0, 31)], false);
    expect(await answer(text, cache, [prompt.slice(0, 30), prompt.slice(30, 31)], false)).toEqual(short);
    text.close();
    expect(cuda.device.freeBytes).toBe(free);
    cuda.device.close();
  });
});
