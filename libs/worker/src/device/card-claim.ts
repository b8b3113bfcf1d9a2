import { createServer } from "node:net";
import { DroverError } from "@drover/core";
import type { KvSettings } from "@drover/kv";
import type { WorkerDevice } from "./worker-device.ts";

/**
 * Sees to it that one worker of a machine takes what a card has free for keys and values: two that measured it at once would both count on the same bytes. The
 * claim is the name of a local socket, so it ends with its process, whatever ends that; it is told by the card's own id, and seen by the processes of one
 * network namespace. Returns what gives it up; undefined where a size was said, or there is no card. Errors: `unavailable` where another worker has it.
 */
export async function claimCard(device: WorkerDevice, { bytesMax }: KvSettings): Promise<AsyncDisposable | undefined> {
  if (device.kind === "cpu" || bytesMax !== "auto") return undefined;
  const { id } = device.cuda.device.facts;
  const server = createServer((socket) => socket.destroy());
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve).listen({ path: `\0drover-card-${id}` }, () => resolve(undefined));
  });
  if (failure?.code === "EADDRINUSE") {
    const sentence = `--kv-memory: auto takes what ${device.name} has free, and another worker of this machine takes that already; say how much each may take`;
    throw new DroverError("unavailable", sentence, { field: "kv_memory" });
  }
  // Where there are no such sockets nothing is claimed, and the card itself refuses what it has not.
  if (failure !== undefined) return undefined;
  server.unref();
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
