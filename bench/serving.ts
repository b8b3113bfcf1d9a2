import { Agent } from "node:http";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { streamCompletion } from "./serving/completion-stream.ts";
import { median } from "./serving/figures.ts";
import { type ServedCluster, startCluster } from "./serving/served-cluster.ts";

/**
 * Whole clusters over HTTP, checkouts of Drover beside each other and in turns: `serving.ts --checkout DIR --checkout DIR`, each set up
 * before. Every round sends `--requests` streaming completions of 100 words and 64 tokens over as many connections as the first column says,
 * and takes tokens a second, the median time to the first token, and the CPU that the cluster's processes took for a token.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    streams: { type: "string", default: "1,8,32" },
    requests: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    "expert-workers": { type: "string", default: "4" },
    flags: { type: "string", default: "" },
  },
});
const GENERATED = 64;

type Sample = { readonly tokensPerSecond: number; readonly firstTokenMs: number; readonly cpuUs: number };

async function round(cluster: ServedCluster, streams: number): Promise<Sample> {
  const each = Number(values.requests);
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  const before = { ms: performance.now(), cpuUs: cluster.cpuUs() };
  const firsts = await Promise.all(
    Array.from({ length: streams }, async () => {
      const found: number[] = [];
      for (let i = 0; i < each; i++)
        found.push((await streamCompletion(cluster.url, { tokens: GENERATED, agent })).firstMs);
      return found;
    }),
  );
  agent.destroy();
  const tokens = streams * each * GENERATED;
  return {
    tokensPerSecond: (tokens * 1000) / (performance.now() - before.ms),
    firstTokenMs: median(firsts.flat()),
    cpuUs: (cluster.cpuUs() - before.cpuUs) / tokens,
  };
}

const sides = await Promise.all(
  values.checkout.map(async (name) => ({
    name,
    cluster: await startCluster(name, { expertWorkers: values["expert-workers"], flags: values.flags }),
    samples: new Map<number, Sample[]>(),
  })),
);
const widths = values.streams.split(",").map(Number);
for (const { cluster } of sides) await round(cluster, 8);
for (let i = 0; i < Number(values.rounds); i++)
  for (const streams of widths)
    for (const { cluster, samples } of i % 2 === 0 ? sides : sides.toReversed())
      samples.set(streams, [...(samples.get(streams) ?? []), await round(cluster, streams)]);

console.log(
  `load of the machine ${loadavg()[0]?.toFixed(1)}; medians of ${values.rounds} rounds, least to most in brackets`,
);
console.log("| streams | checkout | tokens/s | first token ms | CPU us a token |\n|---|---|---|---|---|");
for (const streams of widths)
  for (const { name, samples } of sides) {
    const column = (pick: (sample: Sample) => number) => {
      const found = (samples.get(streams) ?? []).map(pick);
      return `${median(found).toFixed(0)} (${Math.min(...found).toFixed(0)} to ${Math.max(...found).toFixed(0)})`;
    };
    const cells = [column((s) => s.tokensPerSecond), column((s) => s.firstTokenMs), column((s) => s.cpuUs)];
    console.log(`| ${streams} | ${name} | ${cells.join(" | ")} |`);
  }
for (const { cluster } of sides) await cluster.end();
