import { randomUUID } from "node:crypto";
import { basename, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { quantizationOf } from "@drover/checkpoint";
import { systemClock, toDroverError } from "@drover/core";
import { advertisedHost, attachEnding, attachParent, commandConfig } from "@drover/process";
import { createLogger, openTracing } from "@drover/telemetry";
import { startWorker } from "@drover/worker";
import { workerConfig } from "./worker-config.ts";

// Activations live outside V8's heap; marking them step by step costs half of the CPU that moves them.
setFlagsFromString("--no-incremental-marking");

const SHUTDOWN_MS_MAX = 5000;

const config = commandConfig(workerConfig, {
  command: "drover worker",
  usage: "drover worker --roles ROLE[,ROLE] --model DIR --scheduler HOST:PORT [FLAGS]",
  argv: process.argv.slice(2),
  env: process.env,
});
const parent = attachParent();
const workerId = config.workerId ?? `worker-${randomUUID().slice(0, 8)}`;
const logger = createLogger({ process: "worker", fields: { worker: workerId } });
const ending = attachEnding({ ...config, parentGone: parent.gone, clock: systemClock });
// What is still under way then is cut off.
ending.over.addEventListener("abort", () => setTimeout(() => process.exit(0), SHUTDOWN_MS_MAX).unref(), { once: true });

try {
  const tracing = await openTracing({ ...config, process: "worker", instance: workerId, logger });
  await startWorker({
    ...config,
    workerId,
    modelName: config.modelName ?? basename(resolve(config.model)),
    quantization: quantizationOf(config.quantize, config.quantizeBlock),
    advertise: advertisedHost(config),
    announce: parent.announce,
    logger,
    tracer: tracing.tracer,
    ending,
  });
  await tracing[Symbol.asyncDispose]();
  process.exit(0);
} catch (error) {
  const fault = toDroverError(error);
  logger.error("worker.failed", { code: fault.code, reason: fault.message });
  process.exit(1);
}
