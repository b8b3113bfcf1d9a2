import { BEGIN_WITHIN_MS } from "@drover/fleet";
import { defineConfig, PROCESS_FLAGS } from "@drover/process";

export const SCHEDULER_USAGE = `Usage: drover scheduler --model-name NAME [flags]

Places requests on workers and says which worker holds which experts. With Redis several may run: one leads, the others stand by.`;

export const schedulerFlags = defineConfig({
  modelName: { kind: "string", form: "name", required: true, valueName: "NAME", help: "The served model's id." },
  queue: {
    kind: "string",
    form: "queue",
    default: "scheduler",
    valueName: "URL",
    help: "redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME, or scheduler for a queue in this process.",
  },
  grpcPort: {
    kind: "integer",
    default: 50_052,
    min: 0,
    max: 65_535,
    help: "gRPC port for workers and routers; 0: any.",
  },
  ...PROCESS_FLAGS,
  // Nobody finds a scheduler by its readiness, and what it holds goes back to the queue.
  drainDelay: { ...PROCESS_FLAGS.drainDelay, default: "0s", help: "After SIGTERM it still leads for so long." },
  drainGrace: { ...PROCESS_FLAGS.drainGrace, default: "5s", help: "Giving back jobs and the lease may take so long." },
  expectExperts: {
    kind: "integer",
    default: 1,
    min: 1,
    help: "Expert workers that the first expert map waits for, 10 s at most.",
  },
  expertHolders: {
    kind: "integer",
    default: 1,
    min: 1,
    max: 64,
    help: "Workers that hold each expert, where memory allows it; 2: one may be lost without a pause.",
  },
  expertReplicas: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 65_536,
    help: "Further copies of each layer's most used experts, over all workers.",
  },
  beginWithin: {
    kind: "duration",
    default: `${BEGIN_WITHIN_MS / 1000}s`,
    min: 0,
    valueName: "TIME",
    help: "No worker gets a request that it is predicted to begin later than this; the request waits in the queue.",
  },
  cluster: { kind: "string", default: "drover", valueName: "NAME", help: "Keeps clusters apart that share a Redis." },
});
