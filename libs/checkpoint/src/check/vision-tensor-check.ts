import { basename } from "node:path";
import { DroverError } from "@drover/core";
import { visionTensors } from "@drover/llama4";
import type { VisionConfig } from "../config/vision-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";

/** Checks shapes and types of every tensor of the vision encoder, without reading any. Errors: `invalid_argument` naming file and tensor. */
export function checkVisionTensors(checkpoint: Checkpoint, config: VisionConfig): void {
  for (const { name, shape } of visionTensors(config, { kind: "plain", dtype: "BF16", elementBytes: 2 })) {
    const found = checkpoint.info(name);
    if (found.shape.length !== shape.length || found.shape.some((size, i) => size !== shape[i])) {
      const what = `has shape [${found.shape}] where config.json makes it [${shape}]`;
      throw new DroverError("invalid_argument", `${basename(found.file)}: tensor ${name} ${what}`);
    }
    if (checkpoint.weightDtype(name) === "F8_E4M3") checkpoint.info(`${name}_scale`);
  }
}
