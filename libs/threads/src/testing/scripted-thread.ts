import { setTimeout as sleep } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { DroverError } from "@drover/core";
import { serveThread } from "../serve-thread.ts";

/** What the scripted thread is asked, and what a test hands over with it. */
export type Script = Readonly<{ command: string; bytes?: Uint8Array }>;

/** A thread that does what it is told: exit, throw, refuse, hang (holding its event loop), wait, or echo, with its settings before. */
serveThread({
  answer: async ({ command, bytes }: Script) => {
    if (command === "exit") process.exit(0);
    if (command === "throw") throw new Error("a bug");
    if (command === "refuse") throw new DroverError("invalid_argument", "not this one", { field: "command" });
    if (command === "hang") for (;;) Math.sqrt(command.length);
    if (command === "wait") await sleep(600_000);
    return { said: `${workerData}${command}`, bytes: new Uint8Array(bytes ?? []) };
  },
  buffersOf: ({ bytes }) => [bytes.buffer],
});
