import { setImmediate } from "node:timers/promises";
import type { CudaDevice, Event } from "./cuda-device.ts";

/** Waits for an event without holding the thread: it is asked for once in each turn of the event loop. Errors: the fault of the work before it. */
export async function passed(device: Pick<CudaDevice, "hasPassed">, event: Event): Promise<void> {
  while (!device.hasPassed(event)) await setImmediate();
}
