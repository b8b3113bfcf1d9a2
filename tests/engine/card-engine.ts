import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import type { ContextHolder } from "@drover/core";
import { type Cuda, CudaRunner, CudaText } from "@drover/cuda";
import { servedModelSeed } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { openLocalEngine } from "@drover/testkit";
import { cpuCardKernels } from "../../libs/cuda/src/testing/cpu-card.ts";

/** Settings of an engine on a card. */
export type CardEngineOptions = Readonly<{
  prefillRowsMax: number;
  kvBytesMax?: number;
  stripes?: Readonly<{ above: number; holders: () => readonly ContextHolder[] }>;
}>;

/** A checkpoint on a card, in f32. `counts.followed`: steps that were enqueued before the one before them was over. */
export async function cardEngine(
  cuda: Cuda,
  directory: string,
  { prefillRowsMax, kvBytesMax = 2 ** 22, stripes }: CardEngineOptions,
) {
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const loading = { precision: "f32", kv: "f32", kvBytesMax, rowsMax: 80, cacheFolder: cpuCardKernels() } as const;
  const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
  const text = await CudaText.load(cuda, config, source, loading);
  const sequences = new StoredSequences(text.geometry, text.store, {
    cache: { bytesMax: kvBytesMax, prefixCache: true },
    hashSeed: servedModelSeed("", ""),
    stripes: stripes && { name: "card", ...stripes },
  });
  const runner = new CudaRunner(text);
  const counts = { followed: 0 };
  const follow = runner.follow.bind(runner);
  runner.follow = (...args) => {
    const next = follow(...args);
    if (next !== undefined) counts.followed += 1;
    return next;
  };
  const executor = { runner, sequences, geometry: text.geometry };
  const local = await openLocalEngine(directory, { prefillRowsMax, executor });
  return { local, text, sequences, counts, [Symbol.dispose]: () => runner[Symbol.dispose]() };
}
