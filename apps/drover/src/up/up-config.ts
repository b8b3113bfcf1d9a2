import { BLOCK_SIZE_NAMES, QUANTIZATIONS } from "@drover/checkpoint";
import { KV_DTYPES } from "@drover/core";
import { PRECISIONS } from "@drover/cuda";
import { type Config, defineConfig } from "@drover/process";
import { WORKERS_MAX } from "../limits.ts";

export const UP_USAGE = `Usage: drover up [flags]

Runs a whole cluster on this machine: router, queue, scheduler, attention workers and expert workers.`;

const PORT = { kind: "integer", min: 0, max: 65_535, valueName: "PORT" } as const;

export const upSpec = defineConfig({
  model: { kind: "string", valueName: "DIR", help: "The checkpoint's folder. Default: models/nano." },
  modelName: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "The served model's id; the folder's name when absent.",
  },
  expertWorkers: {
    kind: "integer",
    min: 0,
    max: WORKERS_MAX,
    help: "Workers that hold the experts; 0: the attention workers hold them. Default: 4, on cards 0.",
  },
  attentionWorkers: {
    kind: "integer",
    min: 1,
    max: WORKERS_MAX,
    help: "Workers that decode. Default: 1, with --gpus one for each card.",
  },
  device: {
    kind: "string",
    valueName: "cpu|cuda:N|auto",
    help: "What attention and experts are computed with; auto: card 0 where it can be used. Default: cpu.",
  },
  gpus: {
    kind: "string",
    valueName: "all|N",
    help: "An attention worker on each of the first N cards of this machine, or on all of them, each with all experts.",
  },
  precision: {
    kind: "choice",
    choices: PRECISIONS,
    help: "What cards compute in. Default: f16, whose products' rows are the sum of two f16.",
  },
  visionWorkers: {
    kind: "integer",
    default: 0,
    min: 0,
    max: WORKERS_MAX,
    help: "Workers that encode images; 0: the attention workers do, on a thread of their own.",
  },
  contextWorkers: {
    kind: "integer",
    default: 0,
    min: 0,
    max: WORKERS_MAX,
    help: "Workers that hold parts of long contexts, each as much as --kv-memory says.",
  },
  stripeAbove: {
    kind: "integer",
    min: 1,
    valueName: "TOKENS",
    help: "Prompt and output above which context workers hold a part. Default: what half of --kv-memory holds.",
  },
  httpPort: { ...PORT, help: "Port of the OpenAI API; 0: any free one. Default: 8080, with --prompt any." },
  grpcPort: { ...PORT, help: "Port of the gRPC API; 0: any free one. Default: 50051, with --prompt any." },
  queue: {
    kind: "string",
    default: "auto",
    valueName: "auto|embedded|redis|URL",
    help: "Where requests wait. auto: REDIS_URL, else a redis-server or valkey-server found here, else embedded.",
  },
  prefillChunk: { kind: "integer", min: 1, valueName: "TOKENS", help: "Prompt tokens that one step computes at most." },
  stepMs: { kind: "integer", min: 1, max: 250, valueName: "MS", help: "What a step should take while others decode." },
  expertMemory: { kind: "size", min: 1, help: "Memory for routed experts of each worker that holds them." },
  kvMemory: {
    kind: "size",
    min: 1,
    auto: true,
    help: "KV memory of each attention worker, such as 512MiB. Default: 1GiB, on cards auto: what is free.",
  },
  kvDtype: {
    kind: "choice",
    choices: KV_DTYPES,
    help: "What keys and values are kept as; int8 has a scale for each row and head; cards keep f32 or f16. Default: f32.",
  },
  prefixCache: {
    kind: "choice",
    choices: ["on", "off"],
    help: "Keep the KV of what was computed for prompts that begin alike. Default: on.",
  },
  quantize: {
    kind: "choice",
    choices: QUANTIZATIONS,
    help: "Quantize the weights while they are read; absent: compute in f32.",
  },
  quantizeBlock: { kind: "choice", choices: BLOCK_SIZE_NAMES, help: "Weights that share one scale. Default: 128." },
  allowPrivateImageUrls: {
    kind: "boolean",
    help: "Let image URLs lead to private, loopback and link-local addresses.",
  },
  prompt: {
    kind: "string",
    help: "Answer this once, print only the answer on standard output, and end.",
  },
  listen: {
    kind: "string",
    form: "host",
    default: "127.0.0.1",
    valueName: "HOST",
    help: "Address that all processes bind to.",
  },
  advertise: { kind: "string", form: "host", valueName: "HOST", help: "Address that peers use; --listen when absent." },
  corsOrigins: {
    kind: "list",
    valueName: "ORIGIN",
    help: "Pages that may use the OpenAI API from a browser, such as http://localhost:3000; * for all.",
  },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "One API key a line; without it everybody may ask." },
  maxRequests: { kind: "integer", min: 1, help: "Requests that the router admits at once." },
  otlpEndpoint: {
    kind: "string",
    form: "url",
    valueName: "URL",
    help: "Send traces of all processes to this OpenTelemetry collector, such as http://127.0.0.1:4318.",
  },
  traceRatio: {
    kind: "number",
    min: 0,
    max: 1,
    valueName: "R",
    help: "Part of the requests that are traced. Default: 0.01.",
  },
  cluster: { kind: "string", valueName: "NAME", help: "Keeps clusters apart that share a Redis." },
  verbose: { kind: "boolean", help: "Show everything that the processes log." },
});

export type UpConfig = Config<typeof upSpec>;
