import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

/** What a process holds, bytes: what is resident before and after all of its threads have collected their garbage, and what of it is whose after that. */
export type MemoryReport = Readonly<{
  residentBefore: number;
  resident: number;
  /** Of it, what no file is behind. */
  anonymous: number;
  /** Objects in the main thread's heap, and of the other threads' together. */
  heap: number;
  otherHeaps: number;
  /** Heaps' pages, of all threads, used or not. */
  heapPages: number;
  external: number;
  arrayBuffers: number;
  threads: number;
}>;

type Heap = Readonly<{ kind: "heap"; thread: number; used: number; pages: number }>;

const ANSWER_MS = 1000;

/**
 * Loaded into a process before its main, and so into each of its threads: SIGUSR2 has all of them collect, and writes a report to the file that
 * MEMORY_REPORT names; with MEMORY_SNAPSHOTS, a folder, the main thread's heap as well.
 */
const file = process.env.MEMORY_REPORT;
if (file !== undefined) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const channel = new BroadcastChannel("drover memory");
  const heaps = new Map<number, Heap>();
  const collected = (): Heap => {
    collect();
    const { heapUsed, heapTotal } = process.memoryUsage();
    return { kind: "heap", thread: threadId, used: heapUsed, pages: heapTotal };
  };
  channel.onmessage = (event: unknown) => {
    const { data } = event as { data: Heap | Readonly<{ kind: "collect" }> };
    if (data.kind === "heap") heaps.set(data.thread, data);
    else channel.postMessage(collected());
  };
  channel.unref();
  const status = (name: string) =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  const report = async () => {
    const residentBefore = status("VmRSS");
    heaps.clear();
    channel.postMessage({ kind: "collect" });
    await sleep(ANSWER_MS);
    // What the first has let go of, finalizers among it, the second finds.
    collected();
    await sleep(1);
    const own = collected();
    const others = [...heaps.values()];
    const sum = (pick: (heap: Heap) => number) => others.reduce((total, heap) => total + pick(heap), 0);
    const { external, arrayBuffers } = process.memoryUsage();
    const told: MemoryReport = {
      ...{ residentBefore, resident: status("VmRSS"), anonymous: status("RssAnon"), heap: own.used },
      ...{ otherHeaps: sum(({ used }) => used), heapPages: own.pages + sum(({ pages }) => pages) },
      ...{ external, arrayBuffers, threads: others.length + 1 },
    };
    const folder = process.env.MEMORY_SNAPSHOTS;
    if (folder !== undefined) writeHeapSnapshot(`${folder}/${process.pid}-${Date.now()}.heapsnapshot`);
    writeFileSync(file, JSON.stringify(told));
  };
  if (isMainThread) process.on("SIGUSR2", () => void report());
}
