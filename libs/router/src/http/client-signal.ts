import type { ServerResponse } from "node:http";
import { DroverError } from "@drover/core";

/** Aborts when the client leaves before its answer is written to the end, also when it has left already. */
export function clientSignal(raw: ServerResponse): AbortSignal {
  const client = new AbortController();
  const leave = () => {
    if (!raw.writableFinished) client.abort(new DroverError("cancelled", "the client has left"));
  };
  raw.on("close", leave);
  // Its `close` may have come while the body was being read.
  if (raw.destroyed || raw.closed) leave();
  return client.signal;
}
