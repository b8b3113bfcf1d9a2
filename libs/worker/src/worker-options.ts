import type { Quantization } from "@drover/checkpoint";
import type { KvDtype, Logger, Tracer, WorkerRole } from "@drover/core";
import type { Announcement, Ending } from "@drover/process";

/** What one worker is made of: its flags, and what its process gives it. */
export type WorkerOptions = Readonly<{
  roles: readonly WorkerRole[];
  model: string;
  modelName: string;
  scheduler: readonly string[];
  workerId: string;
  grpcPort: number;
  adminPort: number;
  listen: string;
  advertise: string;
  kvMemory: number;
  kvDtype: KvDtype;
  expertMemory: number | undefined;
  prefixCache: "on" | "off";
  stripeAbove: number | undefined;
  prefillChunk: number;
  stepMs: number;
  quantization: Quantization | null;
  threads: number;
  visionCache: number;
  visionThreads: number;
  detachGrace: number;
  stallAfter: number;
  ending: Ending;
  announce: (message: Announcement) => void;
  logger: Logger;
  tracer: Tracer;
}>;
