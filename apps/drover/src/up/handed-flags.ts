import type { WorkerRole } from "@drover/core";
import { flagName } from "@drover/process";
import type { UpConfig } from "./up-config.ts";

/** What a process of a cluster is: a router, a scheduler, or a worker's roles. */
export type Part = "router" | "scheduler" | WorkerRole;

const EVERYWHERE = [
  "listen",
  "advertise",
  "clusterTls",
  "otlpEndpoint",
  "traceRatio",
  "logLevel",
  "stallAfter",
] as const;

const OF_WORKERS = [...EVERYWHERE, "quantize", "quantizeBlock", "threads"] as const;

/** The flags that `up` hands on, by their own names, to whoever they are for. One that was not given is left to the process. */
export const HANDED_FLAGS = {
  router: [
    ...EVERYWHERE,
    "cluster",
    "modelAlias",
    "tlsCertificateFile",
    "tlsKeyFile",
    "apiKeyFile",
    "corsOrigins",
    "page",
    "maxRequests",
    "maxConnections",
    "maxQueueWait",
    "maxReadyWait",
    "keepResponses",
    "streamWait",
    "keepFiles",
    "batchRequests",
    "maxBody",
    "bodyMemory",
    "imageMemory",
    "promptMemory",
    "answerMemory",
    "unreadMemory",
    "imageUrls",
    "allowPrivateImageUrls",
    "imageThreads",
  ],
  scheduler: [...EVERYWHERE, "cluster", "beginWithin", "expertHolders", "expertReplicas"],
  attention: [
    ...OF_WORKERS,
    "precision",
    "kvMemory",
    "kvDtype",
    "prefillChunk",
    "prefixCache",
    "stepMs",
    "stripeAbove",
    "detachGrace",
    "exchange",
  ],
  experts: [...OF_WORKERS, "precision", "expertMemory", "exchange"],
  context: [...OF_WORKERS, "kvMemory", "kvDtype"],
  vision: [...OF_WORKERS, "visionCache", "visionThreads"],
} as const satisfies Readonly<Record<Part, readonly (keyof UpConfig)[]>>;

/** Whoever `up` starts is answered by its other processes, and nobody else. */
const OF_MEMBERS = ["clusterSecretFile", "membersOnly"] as const;

/** The flags that `up` makes up for each of its processes; where it has one of the same name, that is said of the whole cluster. */
export const DECIDED_FLAGS = {
  router: [
    ...OF_MEMBERS,
    ...["model", "modelName", "scheduler", "queue", "httpPort", "grpcPort", "adminPort", "drainDelay", "drainGrace"],
  ],
  scheduler: [
    ...OF_MEMBERS,
    "modelName",
    "queue",
    "grpcPort",
    "adminPort",
    "expectExperts",
    "drainDelay",
    "drainGrace",
  ],
  worker: [
    ...OF_MEMBERS,
    ...["roles", "model", "modelName", "scheduler", "workerId", "device"],
    ...["grpcPort", "adminPort", "drainDelay", "drainGrace"],
  ],
} as const;

/** The values of the flags that a process of these parts is handed; undefined for what nobody has said. */
export function handedFlags(parts: readonly Part[], config: UpConfig): Readonly<Record<string, string | undefined>> {
  const keys = new Set<keyof UpConfig>(parts.flatMap((part) => HANDED_FLAGS[part]));
  return Object.fromEntries([...keys].map((key) => [flagName(key), asText(config[key])]));
}

function asText(value: UpConfig[keyof UpConfig]): string | undefined {
  if (typeof value === "object") return value.length === 0 ? undefined : value.join(",");
  return value === undefined ? undefined : String(value);
}
