import { readFile, statfs } from "node:fs/promises";
import { availableParallelism, tmpdir, totalmem } from "node:os";

/** What this machine, or this container, allows. Undefined: not known here. */
export type MachineFacts = Readonly<{
  nodeVersion: string;
  openFilesMax: number | undefined;
  threadsMax: number | undefined;
  memoryBytes: number;
  /** Of the control group, where it has one that is less than the machine's. */
  memoryLimitBytes: number | undefined;
  /** CPUs' worth of time that the control group allows. */
  cpuLimit: number | undefined;
  cpuCount: number;
  tmpDirectory: string;
  tmpBytesFree: number | undefined;
}>;

export async function readMachine(): Promise<MachineFacts> {
  const limits = (await textOf("/proc/self/limits")) ?? "";
  const limit = (name: string) => {
    const [, soft] = new RegExp(`^${name} +(\\S+)`, "m").exec(limits) ?? [];
    return soft === undefined ? undefined : soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  };
  const memory = Number(await groupFile("memory.max", "memory/memory.limit_in_bytes"));
  const memoryBytes = totalmem();
  const tmpDirectory = tmpdir();
  const disk = await statfs(tmpDirectory).catch(() => undefined);
  return {
    nodeVersion: process.versions.node,
    openFilesMax: limit("Max open files"),
    threadsMax: limit("Max processes"),
    memoryBytes,
    memoryLimitBytes: memory > 0 && memory < memoryBytes ? memory : undefined,
    cpuLimit: await cpuLimit(),
    cpuCount: availableParallelism(),
    tmpDirectory,
    tmpBytesFree: disk && disk.bavail * disk.bsize,
  };
}

/** Of control groups version 2: quota and period in microseconds. */
async function cpuLimit(): Promise<number | undefined> {
  const [quota, period] = ((await textOf("/sys/fs/cgroup/cpu.max")) ?? "").trim().split(" ").map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined;
}

async function groupFile(second: string, first: string): Promise<string | undefined> {
  return (await textOf(`/sys/fs/cgroup/${second}`)) ?? (await textOf(`/sys/fs/cgroup/${first}`));
}

const textOf = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined);
