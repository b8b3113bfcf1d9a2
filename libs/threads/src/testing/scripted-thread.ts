import { setTimeout as sleep } from "node:timers/promises";
import { DroverError } from "@drover/core";
import { serveThread } from "../serve-thread.ts";

/** What the scripted thread is asked, and what a test hands over with it. */
export type Script = Readonly<{ command: string; bytes?: Uint8Array }>;

/**
 * A thread that cannot be loaded where its settings are "refused", and else does what it is told: exit, throw, refuse, hang (holding its event loop), hang until nobody waits, wait, or echo, with its settings
 * before.
 */
await serveThread(async (settings: string) => {
  if (settings === "refused") throw new DroverError("invalid_argument", "no weights there");
  return {
    answer: async ({ command, bytes }: Script, isUnwanted) => {
      if (command === "exit") process.exit(0);
      if (command === "throw") throw new Error("a bug");
      if (command === "refuse") throw new DroverError("invalid_argument", "not this one", { field: "command" });
      if (command === "hang") for (;;) Math.sqrt(command.length);
      if (command === "work") {
        while (!isUnwanted()) Math.sqrt(command.length);
        throw new DroverError("cancelled", "nobody waits");
      }
      if (command === "wait") await sleep(600_000);
      return { said: `${settings}${command}`, bytes: new Uint8Array(bytes ?? []) };
    },
    buffersOf: ({ bytes }) => [bytes.buffer],
  };
});
