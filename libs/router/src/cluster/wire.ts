import type { RankedToken } from "@drover/core";
import type { TopLogprobs } from "@drover/proto";

/** Rows of u16 little-endian, [rowCount, layers]. */
export function decodeExperts(bytes: Uint8Array, rowCount: number): number[][] {
  const layerCount = rowCount === 0 ? 0 : Math.floor(bytes.byteLength / 2 / rowCount);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: layerCount }, (_, layer) => view.getUint16((row * layerCount + layer) * 2, true)),
  );
}

export function decodeTop(top: TopLogprobs | undefined): RankedToken[] {
  return (top?.tokenIds ?? []).map((tokenId, i) => ({
    tokenId,
    logprob: top?.logprobs[i] ?? Number.NEGATIVE_INFINITY,
  }));
}
