import { assert, DroverError, HOST_KV_DTYPES, type HostKvDtype, type KvDtype } from "@drover/core";
import { contextTokensMax, KV_TOKENS_MIN, type KvGeometry, kvBytesPeak, kvGeometry, servedModelSeed } from "@drover/kv";
import { ExtentStore, TextModel } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";
import type { RoleContext } from "../../role-context.ts";
import { type Executor, type ExecutorOptions, halfOf } from "./executor.ts";

/** Computes on the CPU, by ONNX Runtime, with KV in main memory. Errors: the checkpoint's. */
export async function openHostExecutor(
  { options, incarnation, model, kv }: RoleContext,
  { exchange, experts, holders }: ExecutorOptions,
): Promise<Executor> {
  const { workerId, modelName, threads, prefixCache, progress } = options;
  const { config, weights, fingerprint } = model;
  const { bytesMax } = kv;
  assert(bytesMax !== "auto", "a CPU's KV has a size");
  const kvDtype = hostKvDtype(kv.dtype);
  const geometry = kvGeometry(config, kvDtype);
  checkKvMemory(geometry, bytesMax, options.prefillChunk);
  const storage = new ExtentStore(geometry, { ...config, kvDtype });
  const above = options.stripeAbove ?? halfOf(geometry, bytesMax, options.prefillChunk);
  const sequences = new StoredSequences(geometry, storage, {
    cache: { bytesMax, prefixCache: prefixCache === "on" },
    hashSeed: servedModelSeed(modelName, fingerprint),
    stripes: { above, keeps: true, name: `${workerId}/${incarnation}`, holders },
  });
  const runner = await TextModel.load(config, weights, {
    threads,
    remoteExperts: experts === undefined,
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

/** Errors: `invalid_argument` for KV that holds no conversation, with the least that does. */
function checkKvMemory(geometry: KvGeometry, bytesMax: number, prefillChunk: number): void {
  const tokens = contextTokensMax(geometry, bytesMax, prefillChunk);
  if (tokens >= KV_TOKENS_MIN) return;
  const least = kvBytesPeak(geometry, KV_TOKENS_MIN, prefillChunk);
  const sentence = `--kv-memory: ${bytesMax} bytes hold ${tokens} tokens; the least that works is ${least}, for ${KV_TOKENS_MIN}`;
  throw new DroverError("invalid_argument", sentence, { field: "kv_memory" });
}
