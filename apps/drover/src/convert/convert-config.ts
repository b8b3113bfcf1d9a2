import { BLOCK_SIZE_NAMES, QUANTIZATIONS } from "@drover/checkpoint";
import { defineConfig } from "@drover/process";

export const CONVERT_USAGE = `Usage: drover convert CHECKPOINT --quantize int4|int8 --out DIR [flags]

Writes a checkpoint's weights quantized and packed, once: workers then map them, and share them on one machine. DIR can be
served like any checkpoint. Ended at any moment, the same command goes on where it was.`;

export const convertSpec = defineConfig({
  quantize: { kind: "choice", choices: QUANTIZATIONS, required: true, help: "Bits of a weight." },
  quantizeBlock: { kind: "choice", choices: BLOCK_SIZE_NAMES, default: "128", help: "Weights that share one scale." },
  out: {
    kind: "string",
    valueName: "DIR",
    required: true,
    help: "The folder to write: new, empty, or of this conversion.",
  },
});
