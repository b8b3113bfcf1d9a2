import { BLOCK_SIZE_NAMES, QUANTIZATIONS } from "@drover/checkpoint";
import { KV_DTYPES } from "@drover/core";
import { PRECISIONS } from "@drover/cuda";
import { type Config, defineConfig, PROCESS_FLAGS } from "@drover/process";
import { EXCHANGES } from "@drover/rpc";
import { WORKERS_MAX } from "../limits.ts";

export const UP_USAGE = `Usage: drover up [flags]

Runs a whole cluster on this machine: router, queue, scheduler, attention workers and expert workers.`;

const PORT = { kind: "integer", min: 0, max: 65_535, valueName: "PORT" } as const;
const MIB = 2 ** 20;
const SIZE = { kind: "size", min: MIB, valueName: "SIZE" } as const;
const TIME = { kind: "duration", min: 0, valueName: "TIME" } as const;
const KEPT = { ...TIME, max: 3650 * 86_400_000 } as const;

export const upSpec = defineConfig({
  model: { kind: "string", valueName: "DIR", help: "The checkpoint's folder. Default: models/nano." },
  modelName: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "The served model's id; the folder's name when absent.",
  },
  modelAlias: { kind: "list", valueName: "NAME", help: "Another name that requests may give it; repeat it for more." },
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
    form: "device",
    valueName: "cpu|cuda:N|auto",
    help: "What attention and experts are computed with; auto: card 0 where it can be used. Default: cpu.",
  },
  expertDevice: {
    kind: "string",
    form: "device",
    valueName: "cpu|cuda:N|auto",
    help: "What expert workers compute with. Default: what --device says; with --gpus its cards in turn.",
  },
  gpus: {
    kind: "string",
    form: "cards",
    valueName: "all|N",
    help: "An attention worker on each of the first N cards of this machine, or on all of them, each with all experts unless --expert-memory says how much.",
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
    help: "Workers that encode images; 0: the attention workers do, on a thread of their own or between their card's steps.",
  },
  visionDevice: {
    kind: "string",
    form: "device",
    default: "cpu",
    valueName: "cpu|cuda:N|auto",
    help: "Where those workers encode them.",
  },
  contextWorkers: {
    kind: "integer",
    default: 0,
    min: 0,
    max: WORKERS_MAX,
    help: "Workers that hold parts of long contexts, each as much as --kv-memory says.",
  },
  contextDevice: {
    kind: "string",
    form: "devices",
    default: "cpu",
    valueName: "cpu|cuda:N|auto|all",
    help: "Where context workers keep those parts and attend to them; all: on the cards of --gpus in turn.",
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
  prefillChunk: {
    kind: "integer",
    min: 1,
    max: 65_536,
    valueName: "TOKENS",
    help: "Prompt tokens that one step computes at most.",
  },
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
  threads: { kind: "integer", min: 1, max: 1024, help: "Threads of one computation, in each worker. Default: 1." },
  visionThreads: {
    kind: "integer",
    min: 1,
    max: 1024,
    help: "Threads of the vision encoder, in each worker that has one. Default: 1.",
  },
  visionCache: { kind: "size", min: 1, help: "Images' features that each vision encoder keeps. Default: 1GiB." },
  exchange: {
    kind: "choice",
    choices: EXCHANGES,
    help: "How rows go to other workers' experts and back; auto: through memory on the same host, else over gRPC. Default: auto.",
  },
  detachGrace: { ...TIME, help: "How long a request outlives its router's broken stream. Default: 10s." },
  beginWithin: {
    ...TIME,
    help: "No worker gets a request that it is predicted to begin later than this; it waits in the queue. Default: 10s.",
  },
  expertHolders: {
    kind: "integer",
    min: 1,
    max: 64,
    help: "Workers that hold each expert, where memory allows it; 2: one may be lost without a pause. Default: 1.",
  },
  expertReplicas: {
    kind: "integer",
    min: 0,
    max: 65_536,
    help: "Further copies of each layer's most used experts, over all workers. Default: 0.",
  },
  imageUrls: {
    kind: "boolean",
    default: true,
    help: "Fetch images by http(s) URL; with --no-image-urls only data URLs are taken.",
  },
  imageThreads: { kind: "integer", min: 1, max: 64, help: "Images that the router decodes at once. Default: 1." },
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
    form: "origin",
    valueName: "ORIGIN",
    help: "Pages that may use the OpenAI API from a browser, such as http://localhost:3000; * for all.",
  },
  page: { kind: "boolean", default: true, help: "A page for people at the router's /; --no-page leaves it out." },
  clusterSecretFile: {
    kind: "string",
    valueName: "FILE",
    help: "The secret that the processes know each other by; one of their own, which ends with them, when absent.",
  },
  clusterTls: {
    kind: "string",
    valueName: "DIR",
    help: "Encrypt all between the processes, by tls.crt, tls.key and ca.crt in DIR.",
  },
  tlsCertificateFile: {
    kind: "string",
    valueName: "FILE",
    help: "The router's certificate: HTTP and gRPC speak TLS alone. Needs --tls-key-file.",
  },
  tlsKeyFile: { kind: "string", valueName: "FILE", help: "The certificate's key." },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "One API key a line; without it everybody may ask." },
  maxConnections: { kind: "integer", min: 1, help: "HTTP connections that the router has at once." },
  maxRequests: { kind: "integer", min: 1, help: "Requests that the router admits at once." },
  maxQueueWait: {
    ...TIME,
    help: "A request that is predicted to wait longer for a worker is answered with 429. Default: 2m.",
  },
  maxReadyWait: {
    ...TIME,
    help: "A request that comes while the cluster cannot serve waits so long before it is answered with 503. Default: 10s.",
  },
  keepResponses: {
    ...KEPT,
    help: "A response is kept so long for requests that go on with it; 0: not at all. Default: 60m.",
  },
  streamWait: {
    ...TIME,
    min: 100,
    help: "A streamed reply gets a comment as a sign of life when it has had nothing for so long. Default: 30s.",
  },
  keepFiles: { ...KEPT, min: 1000, help: "Files and batches are kept so long, beside the queue. Default: 72h." },
  batchRequests: {
    kind: "integer",
    min: 1,
    help: "Requests of batches that run at once; they begin while nobody else waits. Default: 8.",
  },
  maxBody: {
    ...SIZE,
    max: 32 * MIB,
    help: "Largest HTTP body and gRPC message. What the router's memory comes to with this and the next five, drover router --help says. Default: 32MiB.",
  },
  bodyMemory: { ...SIZE, help: "Of the router, for bodies that are no prompts yet. Default: 256MiB." },
  imageMemory: { ...SIZE, help: "For pictures' tiles. Default: 1024MiB." },
  promptMemory: { ...SIZE, help: "For tokenized requests. Default: 128MiB." },
  answerMemory: { ...SIZE, help: "For answers until they are whole. Default: 256MiB." },
  unreadMemory: { ...SIZE, help: "For what clients have not read. Default: 128MiB." },
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
  logLevel: {
    ...PROCESS_FLAGS.logLevel,
    help: "What the processes log; warnings and errors are shown, with --verbose all of it.",
  },
  stallAfter: {
    ...PROCESS_FLAGS.stallAfter,
    help: "A process's /livez fails when its main loop has not turned for so long.",
  },
  verbose: { kind: "boolean", help: "Show everything that the processes log." },
});

export type UpConfig = Config<typeof upSpec>;
