import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { openCheckpoint } from "@drover/checkpoint";
import { assert, DroverError, toDroverError } from "@drover/core";
import { VisionEncoder } from "./vision-encoder.ts";
import {
  CONTROL,
  type VisionThreadData,
  type VisionThreadReply,
  type VisionThreadRequest,
} from "./vision-thread-messages.ts";

/**
 * What a VisionThread runs: loads the encoder, then encodes one image after the other. What it does not expect ends it. It is asked to end and never
 * terminated: ONNX Runtime's binding aborts the whole process when its thread is stopped within a run.
 */
const port = parentPort;
assert(port !== null, "vision-thread-program.ts runs as a thread");
const { directory, config, threads, control }: VisionThreadData = workerData;

/** Of this thread and those that its sessions start, not of the process: where cores are scarce, decoding gets them first. */
const NICENESS = 5;

function yieldCores(): void {
  // On Linux 0 is the calling thread; elsewhere it would be the process, decoding and all.
  if (process.platform !== "linux") return;
  try {
    setPriority(0, NICENESS);
  } catch (error) {
    // Some sandboxes forbid it. It is right without it, only less kind to decoding.
    process.emitWarning(`the vision thread keeps its priority: ${String(error)}`);
  }
}

const mustEnd = () => Atomics.load(control, CONTROL.end) !== 0;
const reply = (message: VisionThreadReply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

async function load(): Promise<VisionEncoder> {
  await using checkpoint = await openCheckpoint(directory);
  const encoder = await VisionEncoder.load(checkpoint, config, { threads }, mustEnd);
  // The first run of a session allocates what later ones reuse.
  encoder.encode(1, new Uint8Array(config.imageSize ** 2 * 3), mustEnd);
  return encoder;
}

function encode(
  encoder: VisionEncoder,
  { serial, tileCount, pixels }: Extract<VisionThreadRequest, { kind: "encode" }>,
): void {
  const isAbandoned = () => mustEnd() || Atomics.load(control, CONTROL.abandoned) === serial;
  const began = performance.now();
  try {
    const rows_aD = encoder.encode(tileCount, pixels, isAbandoned);
    assert(rows_aD.buffer instanceof ArrayBuffer, "features lie in a buffer of their own");
    reply({ kind: "features", rows_aD, seconds: (performance.now() - began) / 1000 }, [rows_aD.buffer]);
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== "cancelled") throw error;
    reply({ kind: "abandoned" });
  }
}

yieldCores();
try {
  const encoder = await load();
  port.on("message", (request: VisionThreadRequest) => {
    if (mustEnd()) port.close();
    else if (request.kind === "encode") encode(encoder, request);
  });
  reply({ kind: "ready" });
} catch (error) {
  const { code, message, field } = toDroverError(error);
  reply({ kind: "refused", code, message, field });
}
