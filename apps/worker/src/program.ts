import { randomUUID } from "node:crypto";
import { basename, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { quantizationOf } from "@drover/checkpoint";
import { servedModelId } from "@drover/core";
import { serve } from "@drover/process";
import { startWorker } from "@drover/worker";
import { WORKER_USAGE, workerFlags } from "./config.ts";

// Activations live outside V8's heap; marking them step by step costs half of the CPU that moves them.
setFlagsFromString("--no-incremental-marking");
// A step leaves many arrays and few objects: with 16 MiB for young objects, their bytes press for a collection of everything, which holds up all
// streams, before they are young objects' turn. With 1 MiB they are freed as they are left; other threads are not worth being woken for so little.
setFlagsFromString("--semi-space-growth-factor=1");
setFlagsFromString("--no-parallel-scavenge");

await serve(
  {
    kind: "worker",
    usage: WORKER_USAGE,
    flags: workerFlags,
    starting: "its weights are being loaded",
    identify: ({ workerId }) => {
      const id = workerId ?? `worker-${randomUUID().slice(0, 8)}`;
      return { id, logged: { worker: id }, labels: { worker: id } };
    },
  },
  async ({ config, id, host, adminAddress, ending, logger, metrics, tracer, progress, resources }) =>
    startWorker({
      ...config,
      workerId: id,
      modelName: servedModelId(config.modelName, basename(resolve(config.model))),
      quantization: quantizationOf(config.quantize, config.quantizeBlock),
      advertise: host,
      adminAddress,
      ending,
      logger,
      metrics,
      tracer,
      progress,
      resources,
    }),
);
