import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { at, greedyParams, type RankedToken, type SamplingParams } from "@drover/core";
import { type Cuda, CudaRunner, CudaText, openCuda } from "@drover/cuda";
import { servedModelSeed } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { drain, greedyTask, type LocalEngine, openLocalEngine, tinyModel } from "@drover/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { cpuCardLibraries, hasCpuCard } from "../../libs/cuda/src/testing/cpu-card.ts";

const KV_BYTES = 2 ** 22;
/** Prompts that begin within a chunk of 32, at its end, and behind it. */
const prompts = [5, 32, 70].map((length, i) => prompt(length, i));
/** What the card reads of logits: all of them, and only the likeliest. */
const ways: readonly Partial<SamplingParams>[] = [
  { topLogprobs: 3, promptTopLogprobs: 2, routedExperts: true },
  { temperature: 0.9, topP: 0.8, presencePenalty: 0.5, repetitionPenalty: 1.1, n: 2, topLogprobs: 1 },
];

/** What is said of one position of a prompt, or of a token. */
type Answer = Readonly<{
  of: string;
  tokenId?: number;
  logprob: number;
  top: readonly RankedToken[];
  experts: Uint16Array;
}>;

function prompt(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => (i * 37 + (i >> 3) * 11 + seed * 53) % 96);
}

describe.skipIf(!hasCpuCard)("an engine whose executor is a card (a CPU in its place; needs g++)", async () => {
  if (!hasCpuCard) return;
  const folder = await tinyModel(11);
  const cuda = await openCuda(0, cpuCardLibraries());
  const free = cuda.device.freeBytes;
  afterAll(async () => {
    cuda.device.close();
    await folder[Symbol.asyncDispose]();
  });
  const expected = await answersOf(await openLocalEngine(folder.path, { prefillRowsMax: 64 }));

  test("answers as the CPU's does, whatever its steps and whatever is asked", { timeout: 120_000 }, async () => {
    using card = await cardEngine(cuda, folder.path, { prefillRowsMax: 20 });
    const found = await answersOf(card.local);
    expect(found.length).toBe(expected.length);
    for (const [i, answer] of found.entries()) expectAlike(answer, at(expected, i));
    expect(card.text.store.byteCount).toBe(allocated(card.sequences));
  });

  test("what is cached is not computed again, and no token changes where memory is short", {
    timeout: 120_000,
  }, async () => {
    using card = await cardEngine(cuda, folder.path, { prefillRowsMax: 16, kvBytesMax: 290 * 2 ** 10 });
    const { local, text, sequences } = card;
    const run = async (names: readonly string[], length: number, maxTokens: number) => {
      local.events.length = 0;
      for (const [i, name] of names.entries())
        expect(local.engine.place(greedyTask(name, prompt(length, i), maxTokens))).toBeUndefined();
      await drain(local);
      expect(text.store.byteCount).toBe(allocated(sequences));
      return names.map((name) => tokensOf(local.events.filter(({ requestId }) => requestId === name)));
    };
    const alone = (await run(["alone"], 70, 40))[0];
    // Outputs of one token teach it to expect short ones: then it takes more than it has room for, and some wait or are computed again.
    for (let i = 0; i < 40; i += 4)
      await run(
        [0, 1, 2, 3].map((j) => `short${i + j}`),
        3,
        1,
      );
    const [first] = await run(["a", "b", "c", "d"], 70, 125);
    expect(first?.slice(0, 40)).toEqual(alone);
    const [again] = await run(["again"], 70, 40);
    expect(again).toEqual(alone);
    expect(cachedOf(local)).toBeGreaterThanOrEqual(32);
  });

  test("nothing stays on the card", () => expect(cuda.device.freeBytes).toBe(free));
});

/** A checkpoint on a card, in f32. */
async function cardEngine(
  cuda: Cuda,
  directory: string,
  { prefillRowsMax, kvBytesMax = KV_BYTES }: Readonly<{ prefillRowsMax: number; kvBytesMax?: number }>,
) {
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const loading = { precision: "f32", kv: "f32", kvBytesMax, rowsMax: 80, cacheFolder: undefined } as const;
  const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
  const text = await CudaText.load(cuda, config, source, loading);
  const sequences = new StoredSequences(text.geometry, text.store, {
    cache: { bytesMax: kvBytesMax, prefixCache: true },
    hashSeed: servedModelSeed("", ""),
    stripes: undefined,
  });
  const runner = new CudaRunner(text);
  const executor = { runner, sequences, geometry: text.geometry };
  const local = await openLocalEngine(directory, { prefillRowsMax, executor });
  return { local, text, sequences, [Symbol.dispose]: () => runner[Symbol.dispose]() };
}

/** All that an engine says of the prompts, in every way of asking, by position: prompts are told of in parts, as steps cut them. */
async function answersOf(local: LocalEngine): Promise<Answer[]> {
  for (const [way, params] of ways.entries()) {
    for (const [i, ids] of prompts.entries()) {
      const n = params.n ?? 1;
      const delivered = Array.from({ length: n }, () => ({ tokenIds: [], finished: false }));
      const task = { ...greedyTask(`${way}/${i}`, ids, 6), delivered, params: { ...greedyParams(6), ...params } };
      expect(local.engine.place(task)).toBeUndefined();
    }
  }
  await drain(local);
  const found = local.events.flatMap(({ requestId, event }): Answer[] => {
    if (event.kind === "token") return [{ ...event, of: `${requestId}, choice ${event.choice}, token ${event.index}` }];
    if (event.kind !== "prompt") return [];
    const { start, logprobs, tops, experts } = event;
    const moeCount = experts.length / event.count;
    return Array.from({ length: event.count }, (_, i) => ({
      of: `${requestId}, position ${start + i}`,
      logprob: logprobs[i] ?? 0,
      top: tops[i] ?? [],
      experts: experts.slice(i * moeCount, (i + 1) * moeCount),
    }));
  });
  return found.sort((a, b) => (a.of < b.of ? -1 : 1));
}

function tokensOf(events: LocalEngine["events"]): number[] {
  return events.flatMap(({ event }) => (event.kind === "token" ? [event.tokenId] : []));
}

function cachedOf(local: LocalEngine): number {
  return local.events.reduce((sum, { event }) => sum + (event.kind === "done" ? event.cachedTokenCount : 0), 0);
}

function allocated({ kvUse }: StoredSequences): number {
  const { global, local } = kvUse;
  return global.referenced + global.cached + local.referenced + local.cached;
}

/** Equal ids and experts, and log-probabilities that differ by roundings alone. */
function expectAlike(found: Answer, expected: Answer): void {
  const ids = ({ of, tokenId, top, experts }: Answer) => ({ of, tokenId, top: top.map((one) => one.tokenId), experts });
  expect(ids(found)).toEqual(ids(expected));
  const logprobs = ({ logprob, top }: Answer) => [logprob, ...top.map((one) => one.logprob)];
  for (const [i, logprob] of logprobs(found).entries()) expect(logprob).toBeCloseTo(at(logprobs(expected), i), 4);
}
