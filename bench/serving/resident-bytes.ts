import { readFileSync } from "node:fs";

/** Bytes that the process keeps resident, as the kernel of Linux counts them. Errors: ENOENT where it has ended. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
