import { BLOCK_SIZE_NAMES, QUANTIZATIONS } from "@drover/checkpoint";
import { KV_DTYPES, WORKER_ROLES } from "@drover/core";
import { PRECISIONS } from "@drover/cuda";
import { defineConfig, PROCESS_FLAGS } from "@drover/process";
import { EXCHANGES } from "@drover/rpc";

export const WORKER_USAGE = "drover worker --roles ROLE[,ROLE] --model DIR --scheduler HOST:PORT [FLAGS]";

export const workerFlags = defineConfig({
  roles: {
    kind: "list",
    choices: WORKER_ROLES,
    required: true,
    help: "What this worker does: attention, experts, vision, context",
    valueName: "ROLE[,ROLE]",
  },
  model: { kind: "string", required: true, help: "Checkpoint folder", valueName: "DIR" },
  modelName: {
    kind: "string",
    form: "name",
    help: "The served model's id; the folder's name when absent",
    valueName: "NAME",
  },
  scheduler: {
    kind: "list",
    form: "address",
    required: true,
    help: "Addresses of the schedulers",
    valueName: "HOST:PORT[,...]",
  },
  workerId: {
    kind: "string",
    form: "name",
    help: "Its place in the fleet, the same after a restart; made up when absent",
    valueName: "ID",
  },
  grpcPort: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 65535,
    help: "Port for peers; 0: any free one",
    valueName: "PORT",
  },
  ...PROCESS_FLAGS,
  device: {
    kind: "string",
    form: "device",
    default: "cpu",
    help: "What attention and experts are computed with; auto: card 0 where it can be used, else the CPU",
    valueName: "cpu|cuda:N|auto",
  },
  precision: {
    kind: "choice",
    choices: PRECISIONS,
    help: "What a card computes in; absent: f16, whose products' rows are the sum of two f16. A CPU computes in f32",
  },
  kvMemory: {
    kind: "size",
    min: 1,
    auto: true,
    help: "KV of the role attention, and as much of the role context; auto: what the card has free. Absent: 1GiB, on a card auto",
  },
  kvDtype: {
    kind: "choice",
    choices: KV_DTYPES,
    help: "What keys and values are kept as; int8 has a scale for each row and head. All attention and context workers of a cluster keep them alike; a card keeps f32 or f16. Absent: f32",
  },
  expertMemory: {
    kind: "size",
    min: 1,
    help: "Memory for the weights of routed experts: the expert map gives it no more than fit; absent: no limit",
    valueName: "SIZE",
  },
  stripeAbove: {
    kind: "integer",
    min: 1,
    help: "Prompt and output of which old rows go to context workers, where there are any; absent: what does not fit half of --kv-memory",
    valueName: "TOKENS",
  },
  prefixCache: {
    kind: "choice",
    choices: ["on", "off"],
    default: "on",
    help: "Keep the KV of what was computed for prompts that begin alike",
  },
  prefillChunk: {
    kind: "integer",
    default: 512,
    min: 1,
    max: 65536,
    help: "Prompt tokens computed in one step at most",
    valueName: "TOKENS",
  },
  stepMs: {
    kind: "integer",
    default: 18,
    min: 1,
    max: 250,
    help: "What a step should take while sequences decode: prompts share what is left of it",
    valueName: "MS",
  },
  quantize: {
    kind: "choice",
    choices: QUANTIZATIONS,
    help: "Quantize experts, MLPs, attention and head while they are read; absent: compute in f32",
  },
  quantizeBlock: {
    kind: "choice",
    choices: BLOCK_SIZE_NAMES,
    default: "128",
    help: "Weights that share one scale",
  },
  visionCache: {
    kind: "size",
    default: "1GiB",
    min: 1,
    help: "Images' features that the vision role keeps",
    valueName: "SIZE",
  },
  visionThreads: {
    kind: "integer",
    default: 1,
    min: 1,
    max: 1024,
    help: "Threads of the vision encoder, which runs beside the rest",
    valueName: "N",
  },
  threads: { kind: "integer", default: 1, min: 1, max: 1024, help: "Threads of one computation", valueName: "N" },
  exchange: {
    kind: "choice",
    choices: EXCHANGES,
    default: "auto",
    help: "How rows go to other workers' experts and come back; auto: through memory on the same host, else over gRPC",
  },
  detachGrace: {
    kind: "duration",
    default: "10s",
    min: 0,
    help: "How long a request outlives its router's broken stream",
    valueName: "TIME",
  },
});
