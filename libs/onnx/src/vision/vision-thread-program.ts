import { setPriority } from "node:os";
import { openCheckpoint } from "@drover/checkpoint";
import { serveThread } from "@drover/threads";
import { VisionEncoder } from "./vision-encoder.ts";
import type { VisionFeatures, VisionRequest, VisionSettings } from "./vision-messages.ts";

/** Of this thread and those that its sessions start, not of the process: where cores are scarce, decoding gets them first. */
const NICENESS = 5;

/**
 * What a VisionThread runs: loads the encoder, then encodes one image after the other. It is asked to end and never stopped: ONNX Runtime's binding
 * aborts the whole process when its thread is stopped within a run.
 */
await serveThread(async (settings: VisionSettings, isUnwanted) => {
  yieldCores();
  const encoder = await load(settings, isUnwanted);
  return {
    answer: ({ tileCount, pixels }: VisionRequest, isAbandoned): VisionFeatures => {
      const began = performance.now();
      const rows_aD = encoder.encode(tileCount, pixels, isAbandoned);
      return { rows_aD, seconds: (performance.now() - began) / 1000 };
    },
    buffersOf: ({ rows_aD }) => [rows_aD.buffer],
  };
});

async function load({ directory, config, threads }: VisionSettings, isUnwanted: () => boolean): Promise<VisionEncoder> {
  await using checkpoint = await openCheckpoint(directory);
  const encoder = await VisionEncoder.load(checkpoint, config, { threads }, isUnwanted);
  // The first run of a session allocates what later ones reuse.
  encoder.encode(1, new Uint8Array(config.imageSize ** 2 * 3), isUnwanted);
  return encoder;
}

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
