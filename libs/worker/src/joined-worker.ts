import { modelId, workerId } from "@drover/core";
import type { WorkerStatus } from "@drover/fleet";
import type { JoinHello } from "@drover/wire";
import type { WorkerDevice } from "./device/worker-device.ts";
import type { SchedulerLink } from "./link/scheduler-link.ts";
import type { Role } from "./role.ts";
import type { RoleContext } from "./role-context.ts";
import { Worker } from "./worker.ts";

/** A worker's roles, and where its peers reach them. */
export type JoiningWorker = Readonly<{
  context: RoleContext;
  roles: readonly Role[];
  link: SchedulerLink;
  address: string;
  /** Aborted when nothing is left to do for anybody. Its signal is the context's. */
  ended: AbortController;
}>;

/** Makes a worker of its roles, which are served at the address already, and has it join the scheduler that leads. The link is the caller's to dispose. */
export function joinedWorker({ context, roles, link, address, ended }: JoiningWorker): Worker {
  const { options, clock, device } = context;
  const { ending, logger } = options;
  const worker = new Worker({ roles, link, ending, ended, clock, logger, card: () => cardOf(device) });
  const cache = roles.map((role) => role.cache).find((one) => one !== undefined);
  link.join({
    hello: helloOf(context, worker, address),
    status: () => worker.status(),
    loaded: () => worker.loaded(),
    expertRows: () => worker.expertRows(),
    obey: (order) => worker.obey(order),
    ...(cache && { cache }),
  });
  return worker;
}

/** What the worker says of its card with every heartbeat. */
function cardOf(device: WorkerDevice): WorkerStatus["card"] {
  return device.kind === "cuda" ? { device: device.name, ...device.use.bytes } : undefined;
}

/** What the worker says of itself when it joins. */
function helloOf({ options, incarnation, model }: RoleContext, worker: Worker, address: string): JoinHello {
  const { roles, adminAddress } = options;
  const { fingerprint, config } = model;
  const { hiddenSize, expertWidth, moeLayers, expertCount, chunkSize: chunkTokens } = config;
  const expertParameters = 3 * hiddenSize * expertWidth;
  const names = { workerId: workerId(options.workerId), modelId: modelId(options.modelName) };
  return {
    profile: { ...names, incarnation, roles, address, adminAddress, expertParameters, ...worker.introduction },
    checkpoint: { fingerprint, moeLayers, expertCount, chunkTokens },
  };
}
