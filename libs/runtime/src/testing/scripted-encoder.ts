import { parentPort, workerData } from "node:worker_threads";
import type { VisionThreadData, VisionThreadReply, VisionThreadRequest } from "../vision-thread-messages.ts";

/** Stands in for the encoder: an image's first byte says what to do, and is its feature. */
export const COMMANDS = { answer: 1, exit: 2, throw: 3, hang: 4 } as const;
/** As `threads`: the weights are refused. */
export const REFUSED = 13;

const reply = (message: VisionThreadReply) => parentPort?.postMessage(message);
const { threads } = (workerData ?? {}) as Partial<VisionThreadData>;

if (threads === REFUSED)
  reply({ kind: "refused", code: "invalid_argument", message: "no tensor there", field: undefined });
else if (parentPort !== null) {
  parentPort.on("message", ({ pixels }: VisionThreadRequest) => {
    const [command = 0] = pixels;
    if (command === COMMANDS.exit) process.exit(3);
    if (command === COMMANDS.throw) throw new Error("scripted");
    if (command !== COMMANDS.hang) reply({ kind: "features", rows_aD: Float32Array.of(command), seconds: 0.25 });
  });
  reply({ kind: "ready" });
}
