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
  readonly env: Readonly<Record<string, string>> & Readonly<{ NODE_OPTIONS: string }>;
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

/**
 * Requests after which what a router remembers up to a number is full, 8,192 names of requests last, by one request in seven that has a name; and what
 * threads and the allocator keep for work has come to its size: until then some 30 MiB, of which no heap has more than a few.
 */
const WARM_REQUESTS = 60_000;

function warm(points: readonly MemoryPoint[]): readonly MemoryPoint[] {
  const last = points.at(-1)?.requests ?? 0;
  const from = last >= 1.5 * WARM_REQUESTS ? WARM_REQUESTS : last / 4;
  return points.filter(({ requests }) => requests >= from);
}

/** Of each part of the memory, KiB that a thousand requests add to it, behind WARM_REQUESTS or, of fewer, behind the first quarter of them. */
function memorySlopes(points: readonly MemoryPoint[]) {
  const later = warm(points);
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

/** What may be added behind WARM_REQUESTS. */
export type MemoryBounds = Readonly<{
  /** KiB a thousand requests of what all heaps and what lies beside them hold once garbage is collected: what a request leaves is less than so many bytes. */
  live: number;
  /** MiB of what is resident, from a least to a later most; what is given back is no rise. It rises in steps of pages that heaps take and keep, of 6 to 16 MiB, and a line through steps says little. */
  residentRise: number;
}>;

/** Says the slopes, one a line, and the rise. Whether all is within the bounds. */
export function areFlat(points: readonly MemoryPoint[], bounds: MemoryBounds): boolean {
  const slopes = memorySlopes(points);
  for (const [name, each] of Object.entries(slopes)) console.log(`  ${name.padEnd(24)} ${each.toFixed(2)}`);
  const rise = riseOf(warm(points).map(({ resident }) => resident)) / 2 ** 20;
  const live = slopes["heap of the main thread"] + slopes["heaps of other threads"] + slopes.external;
  console.log(
    `  live in all ${live.toFixed(2)}, of ${bounds.live}; resident rises by ${rise.toFixed(1)} MiB, of ${bounds.residentRise}`,
  );
  return live <= bounds.live && rise <= bounds.residentRise;
}

/** The most that a later value has above an earlier one. */
function riseOf(values: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  let rise = 0;
  for (const value of values) {
    least = Math.min(least, value);
    rise = Math.max(rise, value - least);
  }
  return rise;
}

/** The columns of `memoryRow`. */
export const MEMORY_COLUMNS =
  "requests  resident MiB, before collecting  anonymous  heap  other heaps  heaps' pages  external  buffers";

export function memoryRow(point: MemoryPoint): string {
  const { resident, residentBefore, anonymous, heap, otherHeaps, heapPages, external, arrayBuffers } = point;
  const columns = [resident, residentBefore, anonymous, heap, otherHeaps, heapPages, external, arrayBuffers];
  return [point.requests, ...columns.map((bytes) => (bytes / 2 ** 20).toFixed(1))].join("  ");
}
