import { BLOCK_SIZE_NAMES, QUANTIZATIONS } from "@drover/checkpoint";
import { KV_DTYPES } from "@drover/core";
import { GPUS_MAX } from "@drover/planning";
import { type Config, defineConfig } from "@drover/process";

export const PLAN_USAGE = `Usage: drover plan CHECKPOINT [flags]

Says what a checkpoint's weights and KV take on a fleet of GPUs, one worker each: who holds what, how many requests of
which length fit, and the least time that a token can take. Reads headers alone; a folder with only config.json will do.
The exit status is 0 where it fits and 1 where it does not.`;

export const planSpec = defineConfig({
  gpus: { kind: "integer", default: 8, min: 1, max: GPUS_MAX, help: "GPUs, and so workers." },
  gpuMemory: { kind: "size", default: "80GiB", min: 2 ** 20, help: "Memory of one GPU." },
  context: {
    kind: "string",
    valueName: "TOKENS",
    help: "Tokens of the request that must fit, such as 128K or 1M. Default: 128K, or the model's limit where that is less.",
  },
  quantize: {
    kind: "choice",
    choices: QUANTIZATIONS,
    help: "Plan with weights that are quantized so; absent: as they are stored.",
  },
  quantizeBlock: { kind: "choice", choices: BLOCK_SIZE_NAMES, default: "128", help: "Weights that share one scale." },
  replicas: {
    kind: "integer",
    default: 1,
    min: 1,
    max: GPUS_MAX,
    help: "Copies of each routed expert, on different workers.",
  },
  together: {
    kind: "boolean",
    help: "Have every worker attend and hold experts, as up --gpus does; absent: the layout that serves the most requests.",
  },
  bandwidth: {
    kind: "size",
    default: "3.35TB",
    min: 1,
    valueName: "SIZE",
    help: "Bytes that one GPU reads from its memory in a second; the default is an H100's.",
  },
  prefillChunk: {
    kind: "integer",
    default: 512,
    min: 1,
    max: 65_536,
    valueName: "TOKENS",
    help: "Prompt tokens that one step computes at most.",
  },
  kvDtype: {
    kind: "choice",
    choices: KV_DTYPES,
    default: "bf16",
    help: "What keys and values are kept as; int8 has a scale for each row and head.",
  },
  reserve: { kind: "size", default: "1GiB", min: 0, help: "Memory of each GPU for driver, runtime and fragmentation." },
  json: { kind: "boolean", help: "Print JSON, sizes in bytes." },
});

export type PlanConfig = Config<typeof planSpec>;

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2 };

/** Tokens by a text such as 8192, 128K or 1M; K and M are powers of 1024, as in models' names. Undefined for anything else. */
export function parseTokens(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([km]?)$/i.exec(text.trim());
  const tokens = Number(match?.[1]) * (UNITS[(match?.[2] ?? "").toLowerCase()] ?? Number.NaN);
  return Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined;
}
