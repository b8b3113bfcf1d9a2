import { parentPort, type Transferable, workerData } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import { CONTROL, type ThreadData, type ThreadMessage, type ThreadReply } from "./thread-messages.ts";

/** How a thread answers requests, once it is loaded. */
export type ThreadProgram<Request, Result> = Readonly<{
  /**
   * Answers one request. Its DroverErrors reach the caller with code, message and field. Anything else ends the thread, and the pool replaces it.
   * Long work asks `isUnwanted` from time to time and throws a DroverError once it is true: nobody waits for the answer, or the thread shall end.
   */
  answer: (request: Request, isUnwanted: () => boolean) => Promise<Result> | Result;
  /** The result's buffers, which are handed over instead of copied. */
  buffersOf: (result: Result) => Transferable[];
}>;

/**
 * The whole program of a thread of a `ThreadPool`: loads once, then answers one request after the other until the pool ends it.
 * @param load makes the program out of the pool's settings. Its DroverErrors are those of whoever waits for the thread. Where it takes long
 * it asks `isUnwanted` from time to time.
 */
export async function serveThread<Settings, Request, Result>(
  load: (settings: Settings, isUnwanted: () => boolean) => Promise<ThreadProgram<Request, Result>>,
): Promise<void> {
  const port = parentPort;
  assert(port !== null, "the program of a pool's thread runs as one");
  const { settings, control }: ThreadData<Settings> = workerData;
  const mustEnd = () => Atomics.load(control, CONTROL.end) !== 0;
  const reply = (message: ThreadReply<Result>, buffers: Transferable[] = []) => port.postMessage(message, buffers);
  const program = await load(settings, mustEnd).catch((error: unknown) => reply(refusalOf(error)));
  if (program === undefined || mustEnd()) return port.close();
  port.on("message", async (message: ThreadMessage<Request>) => {
    if (mustEnd()) port.close();
    if (message.kind === "end") return;
    const isUnwanted = () => mustEnd() || Atomics.load(control, CONTROL.abandoned) === message.serial;
    try {
      const result = await program.answer(message.request, isUnwanted);
      reply({ kind: "result", result }, program.buffersOf(result));
    } catch (error) {
      reply(refusalOf(error));
    }
  });
  reply({ kind: "ready" });
}

/** Throws again what is no DroverError: it is a bug, of which the thread dies. */
function refusalOf(error: unknown): Extract<ThreadReply<never>, { kind: "refused" }> {
  if (!(error instanceof DroverError)) throw error;
  const { code, message, field } = error;
  return { kind: "refused", code, message, field };
}
