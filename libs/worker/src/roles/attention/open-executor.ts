import type { ContextHolder, ExpertExchange, StepRunner } from "@drover/core";
import { type KvGeometry, kvGeometry, servedModelSeed } from "@drover/kv";
import { ExtentStore, TextModel } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";
import type { RoleContext } from "../../role-context.ts";

export type ExecutorOptions = Readonly<{
  /** Where the routed experts' rows are computed. */
  exchange: ExpertExchange;
  /** Whether experts answer from other processes alone. */
  remoteExperts: boolean;
  /** A sequence that may get longer has its old rows with context workers. */
  stripeAbove: number;
  /** The context workers that there are now. */
  holders: () => readonly ContextHolder[];
}>;

/** What computes steps, and the KV of the sequences that it computes. */
export type Executor = Readonly<{ runner: StepRunner; sequences: StoredSequences; geometry: KvGeometry }>;

/** Loads what computes an attention worker's steps, and makes the store of its KV. Which executor an attention worker has, is decided here and nowhere else. */
export async function openExecutor(
  { options, incarnation, model }: RoleContext,
  { exchange, remoteExperts, stripeAbove, holders }: ExecutorOptions,
): Promise<Executor> {
  const { workerId, modelName, threads, kvMemory, kvDtype, prefixCache, progress } = options;
  const { config, weights, fingerprint } = model;
  const geometry = kvGeometry(config, kvDtype);
  const storage = new ExtentStore(geometry, { ...config, kvDtype });
  const sequences = new StoredSequences(geometry, storage, {
    cache: { bytesMax: kvMemory, prefixCache: prefixCache === "on" },
    hashSeed: servedModelSeed(modelName, fingerprint),
    stripes: { above: stripeAbove, name: `${workerId}/${incarnation}`, holders },
  });
  const runner = await TextModel.load(config, weights, {
    threads,
    remoteExperts,
    storage,
    exchange,
    onLayer: (done, total) => progress(`layer ${done} of ${total}`),
  });
  return { runner, sequences, geometry };
}
