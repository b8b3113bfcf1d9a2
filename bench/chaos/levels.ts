import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";
import { residentBytes } from "../serving/resident-bytes.ts";

/** What one process holds. */
type ProcessLevels = Readonly<{
  name: string;
  residentMiB: number;
  handleCount: number;
  socketCount: number;
}>;

/** What a cluster holds: resident memory, open handles and sockets of all its processes, each of them, and what requests hold of its KV. */
export type Levels = Omit<ProcessLevels, "name"> & Readonly<{ kvMiB: number; processes: readonly ProcessLevels[] }>;

/** The same, and what its Redis has for it. */
export type HeldLevels = Levels & Readonly<{ redisKeyCount?: number }>;

const MIB = 2 ** 20;

/** Reads the levels of a cluster's processes, from /proc and the scheduler's admin port. */
export async function readLevels(cluster: TestCluster): Promise<Levels> {
  const processes = cluster.pids("apps/").flatMap((pid) => levelsOf(pid) ?? []);
  const sum = (of: (one: ProcessLevels) => number) => processes.reduce((total, one) => total + of(one), 0);
  const response = await cluster.askMember("scheduler", "GET /debug/cluster");
  const { workers = [] } = (await response.json()) as {
    workers?: { status?: { globalKv?: { referenced?: string }; localKv?: { referenced?: string } } }[];
  };
  const referenced = workers.flatMap(({ status }) => [status?.globalKv?.referenced, status?.localKv?.referenced]);
  const kvBytes = referenced.reduce((total, bytes) => total + Number(bytes ?? 0), 0);
  return {
    residentMiB: sum(({ residentMiB }) => residentMiB),
    handleCount: sum(({ handleCount }) => handleCount),
    socketCount: sum(({ socketCount }) => socketCount),
    kvMiB: Math.round(kvBytes / MIB),
    processes,
  };
}

/** What was held before a load and ten seconds after it, as a sentence. `redisKeyCount`: of a cluster whose queue is in Redis. */
export function levelsText(before: HeldLevels, after: HeldLevels): string {
  return `before: ${levelText(before)}; ten seconds after: ${levelText(after)}`;
}

function levelText({ residentMiB, handleCount, socketCount, redisKeyCount, kvMiB }: HeldLevels): string {
  const keys = redisKeyCount === undefined ? "" : `${redisKeyCount} keys in Redis, `;
  return `${residentMiB} MiB resident, ${handleCount} handles, ${socketCount} sockets, ${keys}${kvMiB} MiB of KV held`;
}

/** Undefined of a process that ended, or closed a handle, while it was read. */
function levelsOf(pid: number): ProcessLevels | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const name = /--worker-id=([^\0]+)/.exec(command)?.[1] ?? /apps\/([^/]+)\//.exec(command)?.[1] ?? String(pid);
    const handles = readdirSync(`/proc/${pid}/fd`).map((handle) => readlinkSync(`/proc/${pid}/fd/${handle}`));
    const socketCount = handles.filter((target) => target.startsWith("socket:")).length;
    return { name, residentMiB: Math.round(residentBytes(pid) / MIB), handleCount: handles.length, socketCount };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return undefined;
  }
}
