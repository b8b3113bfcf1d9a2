import type { IncomingMessage } from "node:http";
import { DISCARD_BYTES_MAX, DISCARD_MS_MAX } from "../limits.ts";

/** Reads the rest of a body and throws it away: a client that is still sending would otherwise see a broken pipe instead of the answer. Bounded. */
export function discardBody(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.complete || request.destroyed) return resolve();
    let byteCount = 0;
    const count = (chunk: Buffer) => {
      byteCount += chunk.byteLength;
      if (byteCount > DISCARD_BYTES_MAX) finish();
    };
    const finish = () => {
      clearTimeout(timer);
      request.off("data", count).off("end", finish).off("close", finish);
      resolve();
    };
    const timer = setTimeout(finish, DISCARD_MS_MAX);
    request.on("data", count).on("end", finish).on("close", finish);
    request.resume();
  });
}
