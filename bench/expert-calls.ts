import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { ExpertPeer, PeerCall } from "@drover/exchange";

/** What rounds of calls took: milliseconds of each call, and CPU milliseconds of both processes in all. */
export type Sample = { ms: number[]; cpuMs: number };

/** CPU milliseconds of this process. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of this process and of one that answers every message with its own. */
async function bothCpuMs(child: ChildProcess): Promise<number> {
  child.send("cpu");
  const [other] = (await once(child, "message")) as [number];
  return cpuMs() + other;
}

/** Every other row of a step's, in an order that is not theirs, as a share of it is. */
export function callOf(rowCount: number, width: number): PeerCall {
  const z_aD = Float32Array.from({ length: 2 * rowCount * width }, (_, i) => i % 1000);
  return {
    layer: 1,
    experts: Int32Array.of(3),
    counts: Int32Array.of(rowCount),
    rows: Int32Array.from({ length: rowCount }, (_, i) => 2 * ((i * 7 + 3) % rowCount) + 1),
    z_aD,
    y_aD: new Float32Array(z_aD.length),
    width,
  };
}

/** Calls one after the other for so long, into the sample. */
export async function round(
  peer: ExpertPeer,
  call: PeerCall,
  child: ChildProcess,
  roundMs: number,
  sample: Sample,
): Promise<void> {
  const cpuBefore = await bothCpuMs(child);
  const end = performance.now() + roundMs;
  for (let began = performance.now(); began < end; ) {
    if (!(await peer.call(call))) throw new Error("a call failed");
    const now = performance.now();
    sample.ms.push(now - began);
    began = now;
  }
  sample.cpuMs += (await bothCpuMs(child)) - cpuBefore;
}
