import { connect } from "node:net";
import { basename } from "node:path";
import { DroverError, type ModelId, servedModelId } from "@drover/core";
import { listenBriefly } from "../brief-listener.ts";
import { REACH_MS_MAX } from "../limits.ts";
import { checkDevices } from "./device-checks.ts";
import { checkFiles } from "./file-checks.ts";
import { checkMemory } from "./memory-checks.ts";
import type { UpConfig } from "./up-config.ts";
import { type UpWorkers, upWorkers } from "./up-workers.ts";

/** What a cluster is started as. */
export type StartFacts = Readonly<{ modelName: ModelId; workers: UpWorkers }>;

/**
 * What is certain to keep a cluster from starting or from answering, found before any process is started. Returns the served model's id, and its workers.
 * Errors: `invalid_argument`, a sentence with the flag; `unavailable` for cards that cannot be used.
 */
export async function checkStart(config: UpConfig, modelFolder: string, readsImages: boolean): Promise<StartFacts> {
  const modelName = servedModelId(config.modelName, basename(modelFolder));
  const workers = await upWorkers(config);
  await checkDevices(config, workers, readsImages);
  await checkMemory(config, modelFolder, workers, readsImages);
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
  return { modelName, workers };
}

/** Ports of the APIs where nothing is said. */
export const HTTP_PORT_DEFAULT = 8080;
export const GRPC_PORT_DEFAULT = 50_051;

/** Whether a port is free now, and can be reached by those who are told of it; 0 is any. */
async function checkPort(flag: string, host: string, port: number): Promise<void> {
  const failure = await listenBriefly({ host, port, exclusive: true }, (free) => reach(host, free)).catch(
    (error: NodeJS.ErrnoException) => error,
  );
  if (failure === undefined) return;
  const { code, message } = failure;
  const sentence =
    code === "EADDRINUSE"
      ? `--${flag}: ${port} of ${host} is in use already; name another port, or 0 for any free one.`
      : code === "ENETUNREACH" || code === "EHOSTUNREACH"
        ? `--listen: ${host} cannot be reached from this machine itself (${code}); bring its interface up, such as by ip link set lo up.`
        : code === "EACCES"
          ? `--${flag}: ${port} of ${host} may not be listened on by this user; name one above 1023.`
          : `--listen: ${host} is no address of this machine that can be listened on (${code ?? message}).`;
  throw new DroverError("invalid_argument", sentence, { cause: failure });
}

/** What keeps this machine from connecting to itself, as where its loopback interface is down; undefined where it can, or that is not known at once. */
function reach(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[(.*)\]$/, "$1"), port });
    const done = (fault?: NodeJS.ErrnoException) => {
      socket.destroy();
      resolve(fault !== undefined && UNREACHABLE.includes(fault.code ?? "") ? fault : undefined);
    };
    socket.setTimeout(REACH_MS_MAX, () => done());
    socket.once("connect", () => done()).once("error", done);
  });
}

const UNREACHABLE = ["ENETUNREACH", "EHOSTUNREACH"];
