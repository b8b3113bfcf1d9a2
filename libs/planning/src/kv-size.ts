import type { KvDtype } from "@drover/core";
import { kvBytesPeak, kvGeometry } from "@drover/kv";
import type { ModelShape } from "@drover/llama4";

/** KV bytes of one request at its most, by kind of layer. */
export type KvSize = Readonly<{ tokens: number; globalBytes: number; chunkedBytes: number; totalBytes: number }>;

/**
 * What a request of so many tokens holds at most while its prompt comes in steps of `stepRows`: whole blocks, in global layers every row, in
 * chunked ones those since the last boundary. Each kind has its own peak, so that the sum is never less than what is allocated at once.
 */
export function kvSize(model: ModelShape, tokens: number, stepRows: number, format: KvDtype): KvSize {
  const peak = (isGlobal: boolean) => {
    const isGlobalLayer = model.isGlobalLayer.filter((one) => one === isGlobal);
    return kvBytesPeak(kvGeometry({ ...model, isGlobalLayer }, format), tokens, stepRows);
  };
  const globalBytes = peak(true);
  const chunkedBytes = peak(false);
  return { tokens, globalBytes, chunkedBytes, totalBytes: globalBytes + chunkedBytes };
}
