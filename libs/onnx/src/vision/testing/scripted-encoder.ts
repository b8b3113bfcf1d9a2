import { parentPort, workerData } from "node:worker_threads";
import {
  CONTROL,
  type VisionThreadData,
  type VisionThreadReply,
  type VisionThreadRequest,
} from "../vision-thread-messages.ts";

/** Stands in for the encoder: an image's first byte says what to do, and is its feature. What hangs can be abandoned. */
export const COMMANDS = { answer: 1, exit: 2, throw: 3, hang: 4 } as const;
/** As `threads`: the weights are refused. */
export const REFUSED = 13;

const reply = (message: VisionThreadReply) => parentPort?.postMessage(message);
const { threads, control } = (workerData ?? {}) as Partial<VisionThreadData>;

if (threads === REFUSED)
  reply({ kind: "refused", code: "invalid_argument", message: "no tensor there", field: undefined });
else if (parentPort !== null && control !== undefined) {
  const port = parentPort;
  port.on("message", async (request: VisionThreadRequest) => {
    if (Atomics.load(control, CONTROL.end) !== 0) port.close();
    if (request.kind === "wake") return;
    const [command = 0] = request.pixels;
    if (command === COMMANDS.exit) process.exit(3);
    if (command === COMMANDS.throw) throw new Error("scripted");
    if (command !== COMMANDS.hang) return reply({ kind: "features", rows_aD: Float32Array.of(command), seconds: 0.25 });
    while (Atomics.load(control, CONTROL.abandoned) !== request.serial && Atomics.load(control, CONTROL.end) === 0)
      await new Promise((done) => setImmediate(done));
    reply({ kind: "abandoned" });
  });
  reply({ kind: "ready" });
}
