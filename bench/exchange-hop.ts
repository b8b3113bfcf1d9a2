import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { type ExpertRunner, silentLogger, systemClock } from "@drover/core";
import type { ExpertPeer } from "@drover/exchange";
import {
  createServer,
  ExpertStreamPeer,
  expertService,
  grpcNetwork,
  listen,
  type Network,
  sharedExpertService,
} from "@drover/rpc";
import { SharedMemory } from "@drover/shared-memory";
import { callOf, cpuMs, round, type Sample } from "./expert-calls.ts";

/**
 * A hop: rows to the experts of another process and back, by shared memory and over gRPC on loopback, in turns within one run, with an operator that adds.
 * Back of the envelope, 8 rows of 10 KB: gathered, added, scattered: three passes over 80 KB in the caches, 25 us; a bell is a byte in a pipe, and a loop that wakes, 5 us each way.
 * gRPC copies a message some ten times and passes two sockets: 150 to 250 us.
 */
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1,8,64" },
    width: { type: "string", default: "2560" },
    rounds: { type: "string", default: "9" },
    "round-ms": { type: "string", default: "250" },
    serve: { type: "boolean", default: false },
  },
});
setFlagsFromString("--no-incremental-marking");
const WIDTH = Number(values.width);
const WAYS = ["shared memory", "gRPC"] as const;
type Way = (typeof WAYS)[number];
const ROUND_MS = Number(values["round-ms"]);

/** Experts that add one to what they get. */
const adding: ExpertRunner = {
  hiddenSize: WIDTH,
  has: () => true,
  run: (_layer, _experts, _counts, z, y) => {
    for (let i = 0; i < z.length; i++) y[i] = (z[i] as number) + 1;
    return undefined;
  },
};

async function serve(): Promise<void> {
  const server = createServer();
  server.addService(...expertService(adding));
  server.addService(...sharedExpertService(adding, () => SharedMemory.load()));
  process.on("message", () => process.send?.(cpuMs()));
  process.send?.(await listen(server, "127.0.0.1:0"));
  await once(process, "disconnect");
  process.exit(0);
}

function lineOf(rowCount: number, way: Way, { ms, cpuMs: cpu }: Sample): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const us = (share: number) => (1000 * (sorted[Math.floor(share * sorted.length)] ?? Number.NaN)).toFixed(0);
  const cells = [us(0.1), us(0.5), us(0.99), ((1000 * cpu) / ms.length).toFixed(0), ms.length];
  return `| ${rowCount} of ${(WIDTH * 4) / 1024} KiB | ${way} | ${cells.join(" | ")} |`;
}

async function measure(peers: Readonly<Record<Way, ExpertPeer>>, rowCount: number, child: ChildProcess): Promise<void> {
  const samples: Record<Way, Sample> = { "shared memory": { ms: [], cpuMs: 0 }, gRPC: { ms: [], cpuMs: 0 } };
  const call = callOf(rowCount, WIDTH);
  const order = [...WAYS];
  for (const way of order) await round(peers[way], call, child, ROUND_MS, { ms: [], cpuMs: 0 });
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const way of order) await round(peers[way], call, child, ROUND_MS, samples[way]);
    order.reverse();
  }
  for (const row of call.rows)
    for (let i = row * WIDTH; i < (row + 1) * WIDTH; i++)
      if (call.y_aD[i] !== (call.z_aD[i] as number) + 1) throw new Error("a row came back wrong");
  for (const way of WAYS) console.log(lineOf(rowCount, way, samples[way]));
}

async function main(): Promise<void> {
  const child = fork(import.meta.filename, ["--serve", "--width", values.width], {
    execArgv: ["--conditions=@drover/source"],
  });
  const [port] = (await once(child, "message")) as [number];
  const sent = { card_memory: 0, shared_memory: 0, grpc: 0 };
  const peerBy = (network: Network) =>
    new ExpertStreamPeer(
      "w",
      `127.0.0.1:${port}`,
      systemClock,
      silentLogger,
      {
        exchanged: () => undefined,
        sent: (_, transport) => {
          sent[transport] += 1;
        },
      },
      network,
    );
  using shared = peerBy({ ...grpcNetwork, memory: () => SharedMemory.load() });
  using over = peerBy(grpcNetwork);
  const call = callOf(1, WIDTH);
  while (!over.connected || sent.shared_memory === 0) {
    await systemClock.sleep(10, new AbortController().signal);
    if (shared.connected) await shared.call(call);
  }
  console.log(`${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`);
  console.log(`${values.rounds} rounds of ${values["round-ms"]} ms each way, in turns; us\n`);
  console.log("| rows | by | 10% | 50% | 99% | CPU of both ends | hops |\n|---|---|---|---|---|---|---|");
  for (const rowCount of values.rows.split(",").map(Number))
    await measure({ "shared memory": shared, gRPC: over }, rowCount, child);
  child.disconnect();
}

await (values.serve ? serve() : main());
