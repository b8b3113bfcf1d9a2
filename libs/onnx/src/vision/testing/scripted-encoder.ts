import { DroverError } from "@drover/core";
import { serveThread } from "@drover/threads";
import type { VisionFeatures, VisionRequest, VisionSettings } from "../vision-messages.ts";
import { COMMANDS, REFUSED } from "./encoder-commands.ts";

/** Stands in for the encoder: an image's first byte says what to do, and is its feature. */
await serveThread(async ({ threads }: VisionSettings) => {
  if (threads === REFUSED) throw new DroverError("invalid_argument", "no tensor there");
  return {
    answer: ({ pixels }: VisionRequest, isAbandoned): VisionFeatures => {
      const [command = 0] = pixels;
      if (command === COMMANDS.exit) process.exit(3);
      if (command === COMMANDS.throw) throw new Error("scripted");
      if (command !== COMMANDS.hang) return { rows_aD: Float32Array.of(command), seconds: 0.25 };
      while (!isAbandoned()) Math.sqrt(command);
      throw new DroverError("cancelled", "nobody waits");
    },
    buffersOf: ({ rows_aD }) => [rows_aD.buffer],
  };
});
