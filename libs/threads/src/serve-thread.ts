import { parentPort, type Transferable } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import type { ThreadReply } from "./thread-messages.ts";

/** How a thread answers one request. */
export type ThreadProgram<Request, Result> = Readonly<{
  /** Its DroverErrors reach the caller with code, message and field. Anything else ends the thread, and the pool replaces it. */
  answer: (request: Request) => Promise<Result>;
  /** The result's buffers, which are handed over instead of copied. */
  buffersOf: (result: Result) => Transferable[];
}>;

/** The whole program of a thread of a `ThreadPool`: answers one request after the other until the pool ends it. */
export function serveThread<Request, Result>({ answer, buffersOf }: ThreadProgram<Request, Result>): void {
  const port = parentPort;
  assert(port !== null, "the program of a pool's thread runs as one");
  port.on("message", async (request: Request) => {
    try {
      const result = await answer(request);
      port.postMessage({ kind: "result", result } satisfies ThreadReply<Result>, buffersOf(result));
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      const { code, message, field } = error;
      port.postMessage({ kind: "refused", code, message, field } satisfies ThreadReply<Result>);
    }
  });
}
