import { randomUUID } from "node:crypto";
import { systemClock, type WorkerRole } from "@drover/core";
import { kvSettings } from "@drover/kv";
import type { StartedProcess } from "@drover/process";
import { createServer, grpcNetwork, listen, type Network, shutDown } from "@drover/rpc";
import { SharedMemory } from "@drover/shared-memory";
import { claimCard } from "./device/card-claim.ts";
import { watchCard } from "./device/card-use.ts";
import { openDevice } from "./device/worker-device.ts";
import { joinedWorker } from "./joined-worker.ts";
import { SHUT_DOWN_MS_MAX } from "./limits.ts";
import { joinOverGrpc } from "./link/join-over-grpc.ts";
import { SchedulerLink } from "./link/scheduler-link.ts";
import { openModel } from "./open-model.ts";
import type { RoleContext } from "./role-context.ts";
import { startersOf, startRoles } from "./start-roles.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Roles that keep keys and values. */
const KV_ROLES: readonly WorkerRole[] = ["attention", "context"];

/** Makes one worker: loads what its roles need, serves its peers, and joins the scheduler. Errors: the checkpoint's; `unavailable` when the port is taken, or the card. */
export async function startWorker(options: WorkerOptions): Promise<StartedProcess> {
  const { logger, resources } = options;
  const clock = systemClock;
  const ended = new AbortController();
  const link = new SchedulerLink({ addresses: options.scheduler, open: joinOverGrpc(), clock, logger });
  const device = await openDevice(options);
  const use = device.kind === "cuda" ? device.use : undefined;
  watchCard(options.metrics, use);
  const kv = kvSettings(device, options);
  const claim = options.roles.some((role) => KV_ROLES.includes(role)) ? await claimCard(device, kv) : undefined;
  if (claim !== undefined) resources.use(claim);
  const model = await openModel(options, device);
  const made = { options, incarnation: randomUUID(), model, device, kv, link };
  const context: RoleContext = { ...made, ended: ended.signal, clock, network: networkOf(options) };
  const roles = await startRoles(context, startersOf(options.roles));
  showRoles(options);
  const server = createServer();
  for (const service of roles.flatMap((role) => role.services)) server.addService(...service);
  const address = `${options.advertise}:${await listen(server, `${options.listen}:${options.grpcPort}`)}`;
  resources.use(link);
  const worker = joinedWorker({ context, roles, link, address, ended });
  return {
    addresses: { grpc: address },
    facts: { roles: options.roles.join(",") },
    ready: worker.ready,
    unready: () => worker.unready(),
    finished: async () => {
      await worker.run();
      await shutDown(server, SHUT_DOWN_MS_MAX);
    },
    routes: {
      "/debug/worker": () => ({
        workerId: options.workerId,
        incarnation: context.incarnation,
        ...(use && { card: use.bytes }),
        ...worker.facts(),
      }),
    },
  };
}

/** By memory too, where the worker's flags let it: what that needs is loaded when another worker of the same host is met. */
function networkOf({ exchange }: WorkerOptions): Network {
  return exchange === "grpc" ? grpcNetwork : { ...grpcNetwork, memory: () => SharedMemory.load() };
}

function showRoles({ roles, metrics }: WorkerOptions): void {
  const hasRole = metrics.gauge("drover_worker_role", "1 for each role of the worker", ["role"]);
  for (const role of roles) hasRole.set({ role }, 1);
}
