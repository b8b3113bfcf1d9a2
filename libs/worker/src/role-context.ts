import type { Clock } from "@drover/core";
import type { KvSettings } from "@drover/kv";
import type { Network } from "@drover/rpc";
import type { WorkerDevice } from "./device/worker-device.ts";
import type { WorkerLink } from "./link/worker-link.ts";
import type { OpenedModel } from "./open-model.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** What all roles of a worker are made with. */
export type RoleContext = Readonly<{
  options: WorkerOptions;
  /** This life of the worker. */
  incarnation: string;
  model: OpenedModel;
  /** What attention and experts are computed with. */
  device: WorkerDevice;
  kv: KvSettings;
  /** To the scheduler; it stands some time after all roles are made. */
  link: WorkerLink;
  /** Aborts when nothing is left to do for anybody. */
  ended: AbortSignal;
  clock: Clock;
  /** By which it reaches its peers. */
  network: Network;
}>;
