import { defineConfig, PROCESS_FLAGS } from "@drover/process";
import {
  BATCH_REQUESTS_DEFAULT,
  BODY_BYTES_MAX,
  CONNECTIONS_MAX_DEFAULT,
  KEEP_FILES_MS_DEFAULT,
  KEEP_RESPONSES_MS_DEFAULT,
  MEMORY_LIMITS_DEFAULT,
  QUEUE_WAIT_MS_MAX_DEFAULT,
  READY_WAIT_MS_MAX_DEFAULT,
  REQUESTS_MAX_DEFAULT,
  STREAM_WAIT_MS_DEFAULT,
} from "@drover/router";

export const ROUTER_USAGE = `Usage: drover router --model DIR --scheduler HOST:PORT[,HOST:PORT] [flags]

Serves the OpenAI HTTP API and Drover's gRPC API; several may run side by side.`;

/** Ten years: what is kept has no timer of its own. */
const KEEP_MS_MAX = 3650 * 86_400_000;

const MIB = 2 ** 20;
const inMib = (bytes: number) => `${bytes / MIB}MiB`;
const SIZE = { kind: "size", min: MIB, valueName: "SIZE" } as const;

const PORT = { kind: "integer", min: 0, max: 65_535 } as const;

export const routerFlags = defineConfig({
  model: {
    kind: "string",
    required: true,
    valueName: "DIR",
    help: "Checkpoint, for its tokenizer, template and limits.",
  },
  modelAlias: { kind: "list", valueName: "NAME", help: "Another name that requests may give it; repeat it for more." },
  modelName: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "The served model's id; the folder's name when absent.",
  },
  scheduler: {
    kind: "list",
    form: "address",
    required: true,
    valueName: "HOST:PORT",
    help: "Every scheduler; the one that leads answers.",
  },
  queue: {
    kind: "string",
    form: "queue",
    default: "scheduler",
    valueName: "URL",
    help: "redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME, or scheduler for the queue in the scheduler's process.",
  },
  httpPort: { ...PORT, default: 8080, help: "Port of the OpenAI API, /health, /ready and /metrics; 0: any." },
  grpcPort: { ...PORT, default: 50_051, help: "Port of the gRPC API; 0: any." },
  ...PROCESS_FLAGS,
  tlsCertificateFile: {
    kind: "string",
    valueName: "FILE",
    help: "A certificate in PEM, with those between it and its authority: HTTP and gRPC speak TLS alone. Needs --tls-key-file.",
  },
  tlsKeyFile: { kind: "string", valueName: "FILE", help: "The certificate's key in PEM, without a passphrase." },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "One API key a line; without it everybody may ask." },
  corsOrigins: {
    kind: "list",
    form: "origin",
    valueName: "ORIGIN",
    help: "Pages that may use the OpenAI API from a browser, such as https://app.example; * for all. None when absent.",
  },
  page: { kind: "boolean", default: true, help: "A page for people at /: a chat, the cluster live, the API." },
  maxRequests: {
    kind: "integer",
    default: REQUESTS_MAX_DEFAULT,
    min: 1,
    help: "Requests in flight; more are answered with 429.",
  },
  maxConnections: {
    kind: "integer",
    default: CONNECTIONS_MAX_DEFAULT,
    min: 1,
    help: "Connections at once, of HTTP and of gRPC each; more are closed as they come.",
  },
  maxQueueWait: {
    kind: "duration",
    default: `${QUEUE_WAIT_MS_MAX_DEFAULT / 1000}s`,
    min: 0,
    valueName: "TIME",
    help: "A request that is predicted to wait longer for a worker is answered with 429.",
  },
  maxReadyWait: {
    kind: "duration",
    default: `${READY_WAIT_MS_MAX_DEFAULT / 1000}s`,
    min: 0,
    valueName: "TIME",
    help: "A request that comes while the cluster cannot serve waits so long before it is answered with 503.",
  },
  keepResponses: {
    kind: "duration",
    default: `${KEEP_RESPONSES_MS_DEFAULT / 60_000}m`,
    min: 0,
    max: KEEP_MS_MAX,
    valueName: "TIME",
    help: "A response is kept so long, beside the queue, for requests that go on with it; 0: not at all.",
  },
  streamWait: {
    kind: "duration",
    default: `${STREAM_WAIT_MS_DEFAULT / 1000}s`,
    min: 100,
    valueName: "TIME",
    help: "A streamed reply gets a comment as a sign of life when it has had nothing for so long.",
  },
  keepFiles: {
    kind: "duration",
    default: `${KEEP_FILES_MS_DEFAULT / 60_000}m`,
    min: 1000,
    max: KEEP_MS_MAX,
    valueName: "TIME",
    help: "Files and batches are kept so long, beside the queue.",
  },
  batchRequests: {
    kind: "integer",
    default: BATCH_REQUESTS_DEFAULT,
    min: 1,
    help: "Requests of batches that this router has running at once; they begin while nobody else waits.",
  },
  maxBody: {
    ...SIZE,
    default: inMib(BODY_BYTES_MAX),
    max: BODY_BYTES_MAX,
    help: "Largest HTTP body and gRPC message; a larger one is answered with 413.",
  },
  bodyMemory: {
    ...SIZE,
    default: inMib(MEMORY_LIMITS_DEFAULT.bodies),
    help: "Bytes of bodies that have come and are no prompts yet; more are answered with 429.",
  },
  imageMemory: {
    ...SIZE,
    default: inMib(MEMORY_LIMITS_DEFAULT.images),
    help: "Bytes of the tiles of requests in flight; more are answered with 429.",
  },
  promptMemory: {
    ...SIZE,
    default: inMib(MEMORY_LIMITS_DEFAULT.prompts),
    help: "Bytes of tokenized requests that wait or run; more are answered with 429.",
  },
  answerMemory: {
    ...SIZE,
    default: inMib(MEMORY_LIMITS_DEFAULT.answers),
    help: "Bytes that answers may take, reserved before their requests are queued; more are answered with 429.",
  },
  unreadMemory: {
    ...SIZE,
    default: inMib(MEMORY_LIMITS_DEFAULT.unread),
    help: "Bytes that clients may leave unread, all together; then those that leave much are cut off.",
  },
  imageUrls: {
    kind: "boolean",
    default: true,
    help: "Fetch images by http(s) URL; with --no-image-urls only data URLs are taken.",
  },
  allowPrivateImageUrls: {
    kind: "boolean",
    help: "Let image URLs lead to private, loopback and link-local addresses.",
  },
  imageThreads: {
    kind: "integer",
    default: 1,
    min: 1,
    max: 64,
    valueName: "N",
    help: "Images that are decoded and cut at once, besides a large one, which has a thread of its own.",
  },
  cluster: { kind: "string", default: "drover", valueName: "NAME", help: "Keeps clusters apart that share a Redis." },
});
