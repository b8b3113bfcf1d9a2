import { DroverError, type Logger, systemClock } from "@drover/core";
import { serve, watchCertificates, watchFileText } from "@drover/process";
import { ApiKeys, Router } from "@drover/router";
import packageFile from "../package.json" with { type: "json" };
import { ROUTER_USAGE, routerFlags } from "./config.ts";
import { loadServedModel } from "./load-model.ts";
import { type MemoryFlags, memoryAllowed, memoryLimits, memoryText, tellMemory } from "./memory.ts";
import { openQueue } from "./queue-adapters.ts";

await serve(
  {
    kind: "router",
    usage: ROUTER_USAGE,
    flags: routerFlags,
    follows: (values) => memoryText(values as MemoryFlags),
    starting: "the tokenizer is being loaded",
    identify: (_config, host) => ({ id: host }),
  },
  async ({ config, host, ending, logger, metrics, tracer, resources }) => {
    const { totalBytes } = tellMemory(config, memoryAllowed(), logger);
    const { model } = resources.use(await loadServedModel(config, logger));
    const adapters = resources.use(
      openQueue({ ...queueOf(config), modelId: model.modelId, clock: systemClock, logger }),
    );
    const keys = new ApiKeys();
    resources.use(await watchKeys(keys, config.apiKeyFile, logger));
    const door = resources.use(await openDoor(config, logger));
    const ready = Promise.withResolvers<void>();
    const { router, addresses } = await Router.start({
      deployments: [
        {
          model,
          queue: adapters.queue,
          store: adapters.store,
          queueTrouble: adapters.trouble,
          queueInScheduler: config.queue === "scheduler",
          schedulers: config.scheduler,
          queueWaitMsMax: config.maxQueueWait,
          readyWaitMsMax: config.maxReadyWait,
          keepResponsesMs: config.keepResponses,
        },
      ],
      keys,
      corsOrigins: config.corsOrigins,
      page: config.page,
      requestsMax: config.maxRequests,
      connectionsMax: config.maxConnections,
      batchRequestsMax: config.batchRequests,
      keepFilesMs: config.keepFiles,
      streamWaitMs: config.streamWait,
      host: config.listen,
      httpPort: config.httpPort,
      grpcPort: config.grpcPort,
      advertise: host,
      metrics,
      logger,
      version: packageFile.version,
      tracer,
      ending,
      bodies: { startsAtOnce: true, bytesMax: config.maxBody },
      memory: memoryLimits(config),
      memoryBytes: totalBytes,
      ...(door && { certificates: door.certificates }),
      onReady: ready.resolve,
    });
    resources.defer(() => router.close());
    return {
      addresses,
      facts: { model: model.modelId },
      ready: ready.promise,
      unready: () => router.unready,
      finished: () => router.drained(),
    };
  },
);

type QueueFlags = Readonly<{ queue: string; scheduler: readonly string[]; cluster: string }>;

/** Where the queue is, by the flags. */
function queueOf({ queue: url, scheduler: schedulers, cluster }: QueueFlags) {
  return { url, schedulers, cluster };
}

/** Has the keys of a file used; without one, everybody may ask. */
async function watchKeys(keys: ApiKeys, file: string | undefined, logger: Logger): Promise<Disposable | undefined> {
  const options = { setting: "api-key-file", use: (text: string) => keys.use(text), logger };
  return file === undefined ? undefined : watchFileText(file, options);
}

type DoorFiles = Readonly<{ tlsCertificateFile: string | undefined; tlsKeyFile: string | undefined }>;

/** The certificate that clients see; undefined where the door is plain. Errors: `invalid_argument` for one file without the other, or a wrong one. */
async function openDoor({ tlsCertificateFile: certificate, tlsKeyFile: key }: DoorFiles, logger: Logger) {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new DroverError("invalid_argument", "--tls-certificate-file and --tls-key-file: name both, or neither.");
  return watchCertificates({ certificate, key }, { setting: "tls-certificate-file", logger });
}
