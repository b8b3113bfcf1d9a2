import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { SHARED } from "../goldens/run-goldens.ts";
import { ROOT } from "./test-cluster.ts";

const NAMES = [`drover-a-${process.pid}`, `drover-b-${process.pid}`] as const;
const HOSTS = ["10.77.0.1", "10.77.0.2"] as const;
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe" });

/** Two hosts of our own: network namespaces joined by a veth pair. False where this machine does not allow them. */
function joinHosts(): boolean {
  try {
    for (const name of NAMES) ip("netns", "add", name);
    ip("link", "add", "veth0", "netns", NAMES[0], "type", "veth", "peer", "name", "veth0", "netns", NAMES[1]);
    for (const [i, name] of NAMES.entries()) {
      ip("-n", name, "addr", "add", `${HOSTS[i]}/24`, "dev", "veth0");
      for (const device of ["lo", "veth0"]) ip("-n", name, "link", "set", device, "up");
    }
    return true;
  } catch {
    removeHosts();
    return false;
  }
}

function removeHosts(): void {
  for (const name of NAMES) {
    try {
      ip("netns", "del", name);
    } catch {
      // It was never made.
    }
  }
}

/** One process of a cluster, on one of the two hosts. */
class HostProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  #output = "";

  constructor(host: 0 | 1, app: string, flags: readonly string[]) {
    const node = [process.execPath, "--conditions=@drover/source", join(ROOT, `apps/${app}/src/main.ts`)];
    const place = ["--listen", HOSTS[host], "--advertise", HOSTS[host]];
    this.#child = spawn("ip", ["netns", "exec", NAMES[host], ...node, ...place, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-5000);
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 8_000);
    await once(this.#child, "exit");
    clearTimeout(late);
  }
}

const present = existsSync(SHARED);
const allowed = present && joinHosts();
if (!allowed && process.env.CI) throw new Error("this test needs ../shared, root and network namespaces (ip netns)");
if (!allowed) console.warn("skipped: needs ../shared, root and network namespaces (ip netns)");

test.skipIf(!allowed)("the goldens hold over two hosts joined by a network", { timeout: 240_000 }, async () => {
  try {
    await using processes = new AsyncDisposableStack();
    const start = (host: 0 | 1, app: string, ...flags: string[]) => processes.use(new HostProcess(host, app, flags));
    const model = join(SHARED, "nano-ct-fp8");
    const scheduler = `${HOSTS[0]}:50052`;
    const all = [
      start(
        0,
        "scheduler",
        "--model-name",
        "nano-ct-fp8",
        "--queue",
        "scheduler",
        "--grpc-port",
        "50052",
        "--expect-experts",
        "4",
      ),
    ];
    const worker = (host: 0 | 1, id: string, roles: string) =>
      all.push(start(host, "worker", "--roles", roles, "--model", model, "--scheduler", scheduler, "--worker-id", id));
    worker(0, "attention-0", "attention");
    for (const i of [0, 1]) worker(0, `experts-${i}`, "experts");
    for (const i of [2, 3]) worker(1, `experts-${i}`, "experts");
    all.push(
      start(
        0,
        "router",
        "--model",
        model,
        "--scheduler",
        scheduler,
        "--queue",
        "scheduler",
        "--http-port",
        "8080",
        "--grpc-port",
        "50051",
      ),
    );
    const inside = (...command: string[]) => promisify(execFile)("ip", ["netns", "exec", NAMES[0], ...command]);
    const url = `http://${HOSTS[0]}:8080`;
    const ready = ["-c", `import urllib.request; urllib.request.urlopen("${url}/ready", timeout=2)`];
    await expect
      .poll(
        () =>
          inside("python3", ...ready).then(
            () => "ready",
            () =>
              all
                .map((p) => p.output)
                .join("\n")
                .slice(-2000),
          ),
        { timeout: 90_000, interval: 300 },
      )
      .toBe("ready");
    const check = [
      join(SHARED, "goldens/check.py"),
      join(SHARED, "goldens/nano-ct-fp8/goldens.jsonl"),
      url,
      "--without",
      "images",
      "--concurrency",
      "8",
    ];
    const { stdout } = await inside("python3", ...check);
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^31 of 31 goldens hold/);
  } finally {
    removeHosts();
  }
});
