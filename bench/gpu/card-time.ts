import { at } from "@drover/core";
import type { CudaDevice, Stream } from "../../libs/cuda/src/driver/cuda-device.ts";
import { passed } from "../../libs/cuda/src/driver/passed.ts";

/** The middle one, the upper of two. */
export function median(times: readonly number[]): number {
  return at(
    [...times].sort((a, b) => a - b),
    Math.floor(times.length / 2),
  );
}

/** Milliseconds on the card of what `work` enqueues, by its events: the median of so many times. */
export async function medianMs(device: CudaDevice, stream: Stream, count: number, work: () => void): Promise<number> {
  const [from, to] = [device.createEvent(), device.createEvent()];
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    device.record(from, stream);
    work();
    device.record(to, stream);
    await passed(device, to);
    times.push(device.elapsedMs(from, to));
  }
  for (const event of [from, to]) device.destroyEvent(event);
  return median(times);
}
