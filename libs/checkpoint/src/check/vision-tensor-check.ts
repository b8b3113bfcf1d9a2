import { visionTensors } from "@drover/llama4";
import type { VisionConfig } from "../config/vision-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { hasLinear, storedLinear } from "../stored/stored-linear.ts";
import { requireShape } from "../stored/tensor-fault.ts";

/** Checks shapes and types of every tensor of the vision encoder, without reading any. Errors: `invalid_argument` naming file and tensor. */
export function checkVisionTensors(checkpoint: Checkpoint, config: VisionConfig): void {
  for (const { name, shape } of visionTensors(config, { kind: "plain", dtype: "BF16", elementBytes: 2 })) {
    const path = name.replace(/\.weight$/, "");
    const [outSize, inSize] = shape;
    if (path !== name && outSize !== undefined && inSize !== undefined && hasLinear(checkpoint, path)) {
      storedLinear(checkpoint, path, outSize, inSize, config.storedForms);
      continue;
    }
    requireShape(checkpoint, name, shape);
    checkpoint.weightDtype(name);
  }
}
