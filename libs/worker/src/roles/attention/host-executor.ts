import { assert, HOST_KV_DTYPES, type HostKvDtype, type KvDtype } from "@drover/core";
import { contextTokensMax, type KvGeometry, kvGeometry, servedModelSeed } from "@drover/kv";
import { ExtentStore, TextModel } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";
import type { RoleContext } from "../../role-context.ts";
import type { Executor, ExecutorOptions } from "./executor.ts";

/** Computes on the CPU, by ONNX Runtime, with KV in main memory. Errors: the checkpoint's. */
export async function openHostExecutor(
  { options, incarnation, model, kv }: RoleContext,
  { exchange, remoteExperts, holders }: ExecutorOptions,
): Promise<Executor> {
  const { workerId, modelName, threads, prefixCache, progress } = options;
  const { config, weights, fingerprint } = model;
  const { bytesMax } = kv;
  assert(bytesMax !== "auto", "a CPU's KV has a size");
  const kvDtype = hostKvDtype(kv.dtype);
  const geometry = kvGeometry(config, kvDtype);
  const storage = new ExtentStore(geometry, { ...config, kvDtype });
  const above = options.stripeAbove ?? halfOf(geometry, bytesMax, options.prefillChunk);
  const sequences = new StoredSequences(geometry, storage, {
    cache: { bytesMax, prefixCache: prefixCache === "on" },
    hashSeed: servedModelSeed(modelName, fingerprint),
    stripes: { above, name: `${workerId}/${incarnation}`, holders },
  });
  const runner = await TextModel.load(config, weights, {
    threads,
    remoteExperts,
    storage,
    exchange,
    onLayer: (done, total) => progress(`layer ${done} of ${total}`),
  });
  return { runner, sequences, geometry, stripeAbove: above };
}

/** A type that main memory keeps rows as. A bug for another: settings were checked. */
export function hostKvDtype(dtype: KvDtype): HostKvDtype {
  const known = HOST_KV_DTYPES.find((one) => one === dtype);
  assert(known !== undefined, "main memory keeps rows as it was checked to");
  return known;
}

/** From how many tokens on contexts are striped where nothing is said: what half of the KV holds. */
function halfOf(geometry: KvGeometry, bytesMax: number, prefillChunk: number): number {
  return contextTokensMax(geometry, bytesMax / 2, prefillChunk);
}
