import type { CudaDevice, Graph, Stream } from "./cuda-device.ts";

/** What `enqueue` gives a stream, recorded and not run, as a graph that whoever asks destroys. Errors: those of `enqueue`, and the device's. */
export function captured(
  device: Pick<CudaDevice, "beginCapture" | "endCapture">,
  stream: Stream,
  enqueue: () => void,
): Graph {
  device.beginCapture(stream);
  enqueue();
  return device.endCapture(stream);
}
