import { createServer } from "node:net";
import { basename } from "node:path";
import { loadModelConfig } from "@drover/checkpoint";
import { DroverError, type ModelId, servedModelId } from "@drover/core";
import { contextTokensMax, KV_TOKENS_MIN, kvBytesPeak, kvGeometry } from "@drover/kv";
import { KV_DTYPE_DEFAULT, PREFILL_CHUNK_DEFAULT } from "../limits.ts";
import { checkFiles } from "./file-checks.ts";
import type { UpConfig } from "./up-config.ts";

/**
 * What is certain to keep a cluster from starting or from answering, found before any process is started. Returns the served model's id.
 * Errors: `invalid_argument`, a sentence with the flag.
 */
export async function checkStart(config: UpConfig, modelFolder: string): Promise<ModelId> {
  const id = servedModelId(config.modelName, basename(modelFolder));
  await checkKvMemory(config, modelFolder);
  const { listen, prompt } = config;
  const isServing = prompt === undefined;
  if (!isServing && config.tlsCertificateFile !== undefined)
    throw new DroverError(
      "invalid_argument",
      "--prompt: it asks on a port that nobody else is told of; leave --tls-certificate-file out.",
    );
  await checkFiles(config);
  const httpPort = config.httpPort ?? (isServing ? HTTP_PORT_DEFAULT : 0);
  const grpcPort = config.grpcPort ?? (isServing ? GRPC_PORT_DEFAULT : 0);
  if (httpPort === grpcPort && httpPort !== 0)
    throw new DroverError(
      "invalid_argument",
      `--http-port and --grpc-port are both ${httpPort}; name another for one.`,
    );
  await checkPort("http-port", listen, httpPort);
  await checkPort("grpc-port", listen, grpcPort);
  return id;
}

/** Ports of the APIs where nothing is said. */
export const HTTP_PORT_DEFAULT = 8080;
export const GRPC_PORT_DEFAULT = 50_051;

/** Whether a worker's KV can hold a conversation at all. A card measures for itself. */
async function checkKvMemory(
  { kvMemory, kvDtype, prefillChunk, device, gpus }: UpConfig,
  modelFolder: string,
): Promise<void> {
  if (typeof kvMemory !== "number" || gpus !== undefined || (device ?? "cpu") !== "cpu") return;
  const dtype = kvDtype === "int8" ? "int8" : KV_DTYPE_DEFAULT;
  const geometry = kvGeometry(await loadModelConfig(modelFolder), dtype);
  const stepRows = prefillChunk ?? PREFILL_CHUNK_DEFAULT;
  const tokens = contextTokensMax(geometry, kvMemory, stepRows);
  if (tokens >= KV_TOKENS_MIN) return;
  const least = Math.ceil(kvBytesPeak(geometry, KV_TOKENS_MIN, stepRows) / 2 ** 20);
  throw new DroverError(
    "invalid_argument",
    `--kv-memory: ${kvMemory} bytes hold ${tokens} tokens of this model; the least that works is ${least}MiB, for ${KV_TOKENS_MIN}. Write a unit, such as 1GiB.`,
  );
}

/** Whether a port is free now; 0 is any. */
async function checkPort(flag: string, host: string, port: number): Promise<void> {
  const server = createServer();
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve).listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
  if (failure === undefined) return;
  const { code, message } = failure;
  const sentence =
    code === "EADDRINUSE"
      ? `--${flag}: ${port} of ${host} is in use already; name another port, or 0 for any free one.`
      : code === "EACCES"
        ? `--${flag}: ${port} of ${host} may not be listened on by this user; name one above 1023.`
        : `--listen: ${host} is no address of this machine that can be listened on (${code ?? message}).`;
  throw new DroverError("invalid_argument", sentence, { cause: failure });
}
