import type { Quantization } from "@drover/checkpoint";
import type { KvDtype, Logger, Tracer, WorkerRole } from "@drover/core";
import type { Precision } from "@drover/cuda";
import type { Ending } from "@drover/process";
import type { Exchange } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";

/** What one worker is made of: its flags, and what its process gives it. */
export type WorkerOptions = Readonly<{
  roles: readonly WorkerRole[];
  model: string;
  modelName: string;
  scheduler: readonly string[];
  workerId: string;
  grpcPort: number;
  listen: string;
  /** What peers dial, and what the admin port is told to them as. */
  advertise: string;
  adminAddress: string;
  /** `cpu`, `cuda:N` or `auto`. */
  device: string;
  /** What a card computes in; undefined: its own choice. */
  precision: Precision | undefined;
  /** Undefined: what goes without saying on the device, as for the next. */
  kvMemory: number | "auto" | undefined;
  kvDtype: KvDtype | undefined;
  expertMemory: number | undefined;
  prefixCache: "on" | "off";
  stripeAbove: number | undefined;
  prefillChunk: number;
  stepMs: number;
  quantization: Quantization | null;
  threads: number;
  visionCache: number;
  visionThreads: number;
  /** How rows go to other workers and come from them. */
  exchange: Exchange;
  detachGrace: number;
  ending: Ending;
  /** Tells how far the weights are. */
  progress: (text: string) => void;
  metrics: Metrics;
  /** What the worker holds until its end. */
  resources: AsyncDisposableStack;
  logger: Logger;
  tracer: Tracer;
}>;
