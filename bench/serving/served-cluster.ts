import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** A whole cluster of a checkout's `bin/drover up`, with the embedded queue unless another is said, on ports of its own. */
export type ServedCluster = Readonly<{
  url: string;
  /** User and system time of all of its processes so far, microseconds. */
  cpuUs(): number;
  /** Its processes, `up` first. */
  pids(): readonly number[];
  end(): Promise<void>;
}>;

/** Starts it with `--expert-workers` and further flags, and waits until it answers. Errors: it ended before. */
export async function startCluster(
  checkout: string,
  {
    expertWorkers,
    flags,
    queue = "embedded",
    env = {},
  }: Readonly<{ expertWorkers: string; flags: string; queue?: string; env?: NodeJS.ProcessEnv }>,
): Promise<ServedCluster> {
  const args = ["up", "--http-port", "0", "--grpc-port", "0", "--queue", queue];
  args.push("--expert-workers", expertWorkers, ...flags.split(" ").filter(Boolean));
  const child = spawn(join(resolve(checkout), "bin/drover"), args, {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`no bin/drover in ${checkout}`);
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  for await (const line of createInterface(child.stdout)) {
    const url = /OpenAI API +(\S+)\/v1/.exec(line)?.[1];
    if (url === undefined) continue;
    const pids = () => [pid, ...childrenOf(pid)];
    const end = async () => {
      child.kill("SIGINT");
      await ended;
    };
    return { url, pids, cpuUs: () => pids().reduce((sum, each) => sum + cpuOf(each), 0), end };
  }
  throw new Error(`the cluster of ${checkout} ended before it was ready`);
}

function childrenOf(pid: number): number[] {
  const found = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [...found, ...found.flatMap(childrenOf)];
}

/** CPU time of a process so far, in microseconds, of all of its threads that live or of its main one. Source: the kernel's schedstats, in nanoseconds. */
export function cpuOf(pid: number, threads: "all" | "main" = "all"): number {
  const tasks = threads === "all" ? readdirSync(`/proc/${pid}/task`) : [String(pid)];
  return tasks.reduce((sum, task) => sum + nanosecondsOf(`/proc/${pid}/task/${task}/schedstat`), 0) / 1000;
}

/** 0 of a thread that has ended meanwhile. */
function nanosecondsOf(schedstat: string): number {
  try {
    return Number(readFileSync(schedstat, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

/** How often a process's main thread has waited for something so far, and was woken. */
export function wakesOf(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** What a process of Drover is called: its main with its id, `worker attention-0`. Undefined for any other. */
export function nameOf(pid: number): string | undefined {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const main = words.map((word) => /apps\/(\w+)\/src\/main\.ts$/.exec(word)?.[1]).find((name) => name !== undefined);
  return words.includes("--worker-id") ? `${main} ${words[words.indexOf("--worker-id") + 1]}` : main;
}
