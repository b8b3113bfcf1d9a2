import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

describe("attachParent", () => {
  it("tells the parent what is announced, and ends the child when the parent lets go", async () => {
    const child = fork(fileURLToPath(new URL("testing/child.ts", import.meta.url)), {
      execArgv: ["--conditions=@drover/source"],
    });
    const messages: unknown[] = [];
    const ready = new Promise<void>((resolve) => {
      child.on("message", (message: { kind: string }) => {
        messages.push(message);
        if (message.kind === "ready") resolve();
      });
    });
    await ready;
    expect(messages).toEqual([{ kind: "listening", addresses: { http: "127.0.0.1:1" } }, { kind: "ready" }]);
    const exit = once(child, "exit");
    child.disconnect();
    expect(await exit).toEqual([7, null]);
  });
});
