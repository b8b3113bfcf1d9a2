import { setTimeout as sleep } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import type { ThreadReply, ThreadRequest } from "../thread-messages.ts";

/** A thread that does what the text says: hang, exit, throw, or give the text's length. */
parentPort?.on("message", async (request: ThreadRequest) => {
  const text = request.kind === "text" ? request.text : "";
  if (text === "exit") process.exit(0);
  if (text === "throw") throw new Error("a bug");
  if (text === "hang") for (;;) Math.sqrt(text.length);
  if (text === "wait") await sleep(600_000);
  parentPort?.postMessage({ kind: "ids", ids: Uint32Array.of(text.length) } satisfies ThreadReply);
});
