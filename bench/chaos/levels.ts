import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";

/** What a cluster holds: resident memory, open handles and sockets of all its processes, and what requests hold of its KV. */
export type Levels = Readonly<{ residentMiB: number; handleCount: number; socketCount: number; kvMiB: number }>;

const MIB = 2 ** 20;

/** Reads the levels of a cluster's processes, from /proc and the scheduler's admin port. */
export async function readLevels(cluster: TestCluster): Promise<Levels> {
  let residentKiB = 0;
  let handleCount = 0;
  let socketCount = 0;
  for (const pid of cluster.pids("apps/")) {
    try {
      residentKiB += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      for (const handle of readdirSync(`/proc/${pid}/fd`)) {
        handleCount += 1;
        if (readlinkSync(`/proc/${pid}/fd/${handle}`).startsWith("socket:")) socketCount += 1;
      }
    } catch (error) {
      // It ended, or closed the handle, while it was read.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  const response = await cluster.askMember("scheduler", "GET /debug/cluster");
  const { workers = [] } = (await response.json()) as {
    workers?: { status?: { globalKv?: { referenced?: string }; localKv?: { referenced?: string } } }[];
  };
  const referenced = workers.flatMap(({ status }) => [status?.globalKv?.referenced, status?.localKv?.referenced]);
  const kvBytes = referenced.reduce((sum, bytes) => sum + Number(bytes ?? 0), 0);
  return { residentMiB: Math.round(residentKiB / 1024), handleCount, socketCount, kvMiB: Math.round(kvBytes / MIB) };
}
