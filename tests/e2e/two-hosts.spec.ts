import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { SHARED } from "../goldens/run-goldens.ts";
import { namespacesAllowed, TwoHosts } from "./namespaces.ts";
import { ProcessGroup } from "./process-group.ts";

const present = existsSync(SHARED);
const allowed = namespacesAllowed();
if (process.env.CI && !present) throw new Error("the goldens are read from ../shared, which is absent");
if (process.env.CI && !allowed) throw new Error("CI must be allowed to make network namespaces");

const MODEL = join(SHARED, "nano-ct-fp8");
const EXPERT_WORKERS = 4;

describe.skipIf(!present || !allowed)("two hosts (needs ../shared and the right to make network namespaces)", () => {
  test("the goldens hold when half of the experts are on another machine", async () => {
    await using hosts = await TwoHosts.create();
    await using group = new ProcessGroup();
    const on = (host: 0 | 1) => ({
      namespace: hosts.names[host],
      at: { listen: "0.0.0.0", advertise: hosts.addresses[host] },
    });
    const start = (main: "router" | "scheduler" | "worker", host: 0 | 1, flags: Record<string, string | number>) => {
      const { namespace, at } = on(host);
      return group.start(main, { namespace, flags: { ...at, ...flags } });
    };
    const scheduler = start("scheduler", 0, {
      "model-name": "nano-ct-fp8",
      "grpc-port": 0,
      "expect-experts": EXPERT_WORKERS,
    });
    const { grpc = "" } = await scheduler.listening;
    expect(grpc).toContain(hosts.addresses[0]);
    const common = { model: MODEL, scheduler: grpc };
    for (let i = 0; i < EXPERT_WORKERS; i++)
      start("worker", i < EXPERT_WORKERS / 2 ? 0 : 1, { ...common, roles: "experts", "worker-id": `experts-${i}` });
    start("worker", 0, { ...common, roles: "attention", "worker-id": "attention-0" });
    start("worker", 1, { ...common, roles: "vision", "worker-id": "vision-0" });
    const router = start("router", 0, { ...common, "http-port": 0, "grpc-port": 0 });
    const { http = "" } = await router.listening;
    await router.ready;
    const { stdout } = await inside(hosts.names[0], "python3", [
      join(SHARED, "goldens/check.py"),
      join(SHARED, "goldens/nano-ct-fp8/goldens.jsonl"),
      `http://${http}`,
      "--concurrency",
      "8",
    ]).catch((error: { stdout?: string; stderr?: string }) => {
      throw new Error(`${error.stdout}${error.stderr}${group.output}`);
    });
    expect(stdout).toMatch(/goldens hold/);
    const read = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())";
    const { stdout: cluster } = await inside(hosts.names[0], "python3", ["-c", read, `http://${http}/debug/cluster`]);
    for (const address of hosts.addresses) expect(cluster).toContain(address);
  });
});

function inside(namespace: string, command: string, args: readonly string[]) {
  return promisify(execFile)("ip", ["netns", "exec", namespace, command, ...args], { maxBuffer: 64 * 2 ** 20 });
}
