import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { type ExpertRunner, silentLogger, systemClock } from "@drover/core";
import type { ExpertPeer, PeerCall } from "@drover/exchange";
import { createServer, ExpertStreamPeer, expertService, listen } from "@drover/rpc";
import { callOf, cpuMs, round, type Sample } from "./expert-calls.ts";
import { addPlainExperts, PlainPeer } from "./plain-experts.ts";

/**
 * The way of expert rows to another process and back, over loopback: the payload codec beside protobuf-es alone, in turns within one run. The
 * experts give back what they get, so that what is left is the way: gather, frames, gRPC in both processes, scatter.
 * Back of the envelope, 64 rows of 10 KB: 655 KB each way. gRPC itself copies a message once when it sends and twice when it receives, the
 * kernel twice; a copy of 655 KB takes 80 us at 8 GB/s. protobuf-es writes into a buffer that grows by doubling (2 copies), and cuts
 * that (1); unaligned rows are copied (1); rows are gathered, collected and scattered (3). So 5 copies each way fall to 1 or 2 of some 10.
 */
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1,8,64,256" },
    rounds: { type: "string", default: "12" },
    "round-ms": { type: "string", default: "250" },
    serve: { type: "boolean", default: false },
  },
});
setFlagsFromString("--no-incremental-marking");

/** Values of a row, f32: of nano, and of as many bytes as 5,120 values in bf16. */
const WIDTHS = [256, 2560];
const ROUND_MS = Number(values["round-ms"]);

type Codec = "plain" | "payload";
type Ports = Readonly<Record<Codec, number>>;

/** Experts that give back what they get. */
class Echo implements ExpertRunner {
  readonly hiddenSize: number;

  constructor(hiddenSize: number) {
    this.hiddenSize = hiddenSize;
  }

  has(): boolean {
    return true;
  }

  run(_: number, __: ArrayLike<number>, ___: ArrayLike<number>, z: Float32Array, y: Float32Array): undefined {
    y.set(z);
  }
}

/** The other process: a server for each codec and width, and its CPU time when asked. */
async function serve(): Promise<void> {
  const ports: Ports[] = [];
  for (const width of WIDTHS) {
    const plain = createServer();
    addPlainExperts(plain, new Echo(width));
    const payload = createServer();
    payload.addService(...expertService(new Echo(width)));
    ports.push({ plain: await listen(plain, "127.0.0.1:0"), payload: await listen(payload, "127.0.0.1:0") });
  }
  process.on("message", () => process.send?.(cpuMs()));
  process.send?.(ports);
  await once(process, "disconnect");
  process.exit(0);
}

async function measure(peers: Readonly<Record<Codec, ExpertPeer>>, call: PeerCall, child: ChildProcess) {
  const samples: Record<Codec, Sample> = { plain: { ms: [], cpuMs: 0 }, payload: { ms: [], cpuMs: 0 } };
  const order: Codec[] = ["plain", "payload"];
  for (const codec of order) await round(peers[codec], call, child, ROUND_MS, { ms: [], cpuMs: 0 });
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const codec of order) await round(peers[codec], call, child, ROUND_MS, samples[codec]);
    order.reverse();
  }
  if (call.y_aD.some((value, i) => value !== 0 && value !== call.z_aD[i])) throw new Error("rows came back changed");
  return samples;
}

function lineOf(rowCount: number, width: number, codec: Codec, { ms, cpuMs: cpu }: Sample): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const us = (share: number) => (1000 * (sorted[Math.floor(share * sorted.length)] ?? Number.NaN)).toFixed(0);
  const totalMs = ms.reduce((sum, each) => sum + each, 0);
  const megabytes = (2 * rowCount * width * 4 * ms.length) / 1e6;
  const cells = [us(0.5), us(0.99), (megabytes / (totalMs / 1000)).toFixed(0), ((1000 * cpu) / ms.length).toFixed(0)];
  return `| ${rowCount} of ${(width * 4) / 1024} KiB | ${codec} | ${cells.join(" | ")} | ${ms.length} |\n`;
}

async function main(): Promise<void> {
  const child = fork(import.meta.filename, ["--serve"], { execArgv: ["--conditions=@drover/source"] });
  const [ports] = (await once(child, "message")) as [Ports[]];
  const machine = `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`;
  process.stdout.write(`${machine}, ${values.rounds} rounds of ${values["round-ms"]} ms for each codec, in turns\n\n`);
  process.stdout.write(
    "| rows | codec | RTT p50, us | p99, us | MB/s, both ways | CPU of both ends, us a call | calls |\n",
  );
  process.stdout.write("|---|---|---|---|---|---|---|\n");
  for (const [i, width] of WIDTHS.entries()) {
    const at = (codec: Codec) => `127.0.0.1:${ports[i]?.[codec]}`;
    using plain = new PlainPeer(at("plain"));
    using payload = new ExpertStreamPeer("payload", at("payload"), systemClock, silentLogger, {
      exchanged: () => undefined,
    });
    while (!payload.connected) await systemClock.sleep(10, new AbortController().signal);
    for (const rowCount of values.rows.split(",").map(Number)) {
      const samples = await measure({ plain, payload }, callOf(rowCount, width), child);
      for (const codec of ["plain", "payload"] as const)
        process.stdout.write(lineOf(rowCount, width, codec, samples[codec]));
    }
  }
  child.disconnect();
}

await (values.serve ? serve() : main());
