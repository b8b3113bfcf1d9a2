import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { slope } from "./figures.ts";
import type { MemoryReport } from "./memory-probe.ts";

const REPORT_MS_MAX = 120_000;

/** Reports on processes that are started with `env`, by `memory-probe.ts`. */
export class MeasuredMemory implements Disposable {
  readonly env: Readonly<Record<string, string>>;
  readonly #folder = mkdtempSync(join(tmpdir(), "drover-memory-"));
  readonly #file = join(this.#folder, "report.json");

  /** `snapshots`: a folder that each report puts the main thread's heap into. */
  constructor(snapshots?: string) {
    const probe = pathToFileURL(join(import.meta.dirname, "memory-probe.ts")).href;
    this.env = {
      NODE_OPTIONS: `--import=${probe}`,
      MEMORY_REPORT: this.#file,
      ...(snapshots !== undefined && { MEMORY_SNAPSHOTS: resolve(snapshots) }),
    };
  }

  /** What a process holds once all of its threads have collected their garbage. Errors: it made no report. */
  async of(pid: number): Promise<MemoryReport> {
    process.kill(pid, "SIGUSR2");
    for (let waitedMs = 0; waitedMs < REPORT_MS_MAX; waitedMs += 50) {
      await sleep(50);
      if (!existsSync(this.#file)) continue;
      const text = readFileSync(this.#file, "utf8");
      // It may be half written.
      if (!text.endsWith("}")) continue;
      rmSync(this.#file);
      return JSON.parse(text) as MemoryReport;
    }
    throw new Error("the process made no report of its memory");
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** A report, and behind how many requests. */
export type MemoryPoint = MemoryReport & Readonly<{ requests: number }>;

/** Of each part of the memory, KiB that a thousand requests add to it, behind the first quarter of them. */
function memorySlopes(points: readonly MemoryPoint[]) {
  const last = points.at(-1)?.requests ?? 0;
  const later = points.filter(({ requests }) => requests >= last / 4);
  const of = (pick: (point: MemoryPoint) => number) =>
    slope(later.map((point) => [point.requests / 1000, pick(point) / 1024]));
  return {
    resident: of(({ resident }) => resident),
    anonymous: of(({ anonymous }) => anonymous),
    "heap of the main thread": of(({ heap }) => heap),
    "heaps of other threads": of(({ otherHeaps }) => otherHeaps),
    "heaps' pages": of(({ heapPages }) => heapPages),
    external: of(({ external }) => external),
  };
}

/** Says the slopes, one a line. Whether what is resident and the main thread's heap rise by no more than these KiB a thousand requests. */
export function areFlat(points: readonly MemoryPoint[], bounds: Readonly<{ resident: number; heap: number }>): boolean {
  const slopes = memorySlopes(points);
  for (const [name, each] of Object.entries(slopes)) console.log(`  ${name.padEnd(24)} ${each.toFixed(2)}`);
  return slopes.resident <= bounds.resident && slopes["heap of the main thread"] <= bounds.heap;
}

/** The columns of `memoryRow`. */
export const MEMORY_COLUMNS =
  "requests  resident MiB, before collecting  anonymous  heap  other heaps  heaps' pages  external  buffers";

export function memoryRow(point: MemoryPoint): string {
  const { resident, residentBefore, anonymous, heap, otherHeaps, heapPages, external, arrayBuffers } = point;
  const columns = [resident, residentBefore, anonymous, heap, otherHeaps, heapPages, external, arrayBuffers];
  return [point.requests, ...columns.map((bytes) => (bytes / 2 ** 20).toFixed(1))].join("  ");
}
