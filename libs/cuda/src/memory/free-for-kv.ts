import type { CudaDevice } from "../driver/cuda-device.ts";
import { KV_AUTO_SPARED } from "../limits.ts";

/** Bytes of a card that keys and values may take: what is free, but for {@link KV_AUTO_SPARED} and what others of this process may take yet. */
export function freeForKv({ freeBytes }: Pick<CudaDevice, "freeBytes">, othersBytes = 0): number {
  const free = freeBytes - othersBytes;
  return Math.max(1, Math.floor(free * (1 - KV_AUTO_SPARED.share)) - KV_AUTO_SPARED.bytes);
}
