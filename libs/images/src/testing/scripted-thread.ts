import { parentPort } from "node:worker_threads";
import type { ThreadReply, ThreadRequest } from "../thread-messages.ts";

/** A thread for the pool's tests: the file's last byte says what it does. */
parentPort?.on("message", ({ file }: ThreadRequest) => {
  const command = String.fromCharCode(file.at(-1) ?? 0);
  if (command === "x") process.exit(1);
  if (command === "t") throw new Error("the decoder has a bug");
  // "h" hangs.
  if (command === "h") return;
  const tiles = { grid: { rows: 1, cols: 1 }, tileSize: 1, pixels: new Uint8Array(3), contentHash: command };
  parentPort?.postMessage({ kind: "tiles", tiles } satisfies ThreadReply);
});
