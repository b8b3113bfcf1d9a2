import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MainProcess } from "./process-group.ts";

const model = join(import.meta.dirname, "../../models/nano");
/** Nobody would wait for so long: what ends has not waited for its grace. */
const drain = { "drain-delay": "0s", "drain-grace": "10m" };
const client = { model, "model-name": "nano", scheduler: "127.0.0.1:1", "grpc-port": 0, ...drain };

test.each([
  ["scheduler", { "model-name": "nano", "grpc-port": 0, ...drain }],
  ["router", { ...client, "http-port": 0 }],
  ["worker", { ...client, roles: "context" }],
] as const)("a %s with nothing to finish ends when it is asked to, whatever its grace", async (main, flags) => {
  const one = new MainProcess(main, { flags });
  try {
    await one.listening;
    const exit = once(one.child, "exit");
    one.child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  } finally {
    one.child.kill("SIGKILL");
  }
});
