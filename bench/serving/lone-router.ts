import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@drover/testkit";
import type { ServedCluster } from "./served-cluster.ts";
import { cpuOf } from "./served-cluster.ts";

const NODE = ["--conditions=@drover/source"];
const READY_MS_MAX = 120_000;

/** Where its gRPC is, besides. */
export type LoneRouter = ServedCluster & Readonly<{ grpc: string }>;

export type LoneRouterOptions = Readonly<{
  stepMs: string;
  model?: string;
  env: NodeJS.ProcessEnv;
  /** Tokens that a prompt and its answer may have. */
  contextTokens?: number;
  /** Further flags. */
  more?: readonly string[];
}>;

/**
 * A router of a checkout before one process that stands for all of its cluster (`answering-cluster.ts`), which is not counted. Returns once it is ready.
 * Errors: one of them ended before.
 */
export async function startLoneRouter(
  checkout: string,
  { stepMs, model = "models/nano", env, contextTokens = 20_000, more = [] }: LoneRouterOptions,
): Promise<LoneRouter> {
  const at = (path: string) => join(resolve(checkout), path);
  const peer = spawn(
    process.execPath,
    [...NODE, at("bench/serving/answering-cluster.ts"), "nano", stepMs, String(contextTokens)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const scheduler = await firstLine(peer);
  const [port, grpcPort] = [await freePort(), await freePort()];
  const flags = ["--model", at(model), "--model-name", "nano", "--scheduler", scheduler, "--listen", "127.0.0.1"];
  flags.push("--http-port", String(port), "--grpc-port", String(grpcPort), "--log-level", "error", ...more);
  const router = spawn(process.execPath, [...NODE, at("apps/router/src/main.ts"), ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
  const pid = router.pid ?? Number.NaN;
  const url = `http://127.0.0.1:${port}`;
  const end = async () => {
    const ended = once(router, "exit");
    router.kill("SIGKILL");
    peer.kill();
    await ended;
  };
  await whenReady(url, router).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return { url, grpc: `127.0.0.1:${grpcPort}`, pids: () => [pid], cpuUs: () => cpuOf(pid), end };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout !== null) for await (const line of createInterface(child.stdout)) return line;
  throw new Error("what stands for the cluster ended before it listened");
}

async function whenReady(url: string, router: ChildProcess): Promise<void> {
  for (let waitedMs = 0; waitedMs < READY_MS_MAX && router.exitCode === null; waitedMs += 250) {
    const isReady = await fetch(`${url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await sleep(250);
  }
  throw new Error("the router did not become ready");
}
