import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));

describe("the router's process", () => {
  it("ends and says why when its port is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : 0;
    const flags = ["--model", fileAt("../../../models/nano"), "--scheduler", "127.0.0.1:1", "--grpc-port", "0"];
    const router = spawn(
      process.execPath,
      ["--conditions=@drover/source", fileAt("main.ts"), ...flags, "--http-port", String(port)],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let log = "";
    router.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    try {
      expect(await once(router, "close")).toEqual([1, null]);
      expect(log).toContain('"event":"router.failed"');
      expect(log).toContain(`127.0.0.1:${port}`);
    } finally {
      router.kill("SIGKILL");
      taken.close();
    }
  });
});
