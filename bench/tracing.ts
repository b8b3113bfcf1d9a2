import { fork } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { noTracer, silentLogger, type Tracer } from "@drover/core";
import { FakeCollector, openTracing } from "@drover/telemetry";
import { greedyTask, openLocalEngine } from "@drover/testkit";

/**
 * What tracing costs an engine: CPU time of this process for a generated token, off, at ratio 0.01 and at 1, in turns; experts are in this
 * process, the collector is not. CPU time and not the clock's, so that a busy machine does not drown it.
 * Back of the envelope: a sampled request makes 6 spans and two steps of one call a layer, some 20 spans of 10 us each to make, end and write as
 * JSON: 0.2 ms a request, 6 us a token at 32 tokens, a hundredth of that at ratio 0.01; a token of nano takes 100 us and more.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    rounds: { type: "string", default: "9" },
    requests: { type: "string", default: "100" },
    collector: { type: "boolean", default: false },
  },
});
const BATCH = 8;
const PROMPT = 16;
const GENERATED = 32;

if (values.collector) {
  const collector = await FakeCollector.start();
  process.send?.(collector.url);
  await once(process, "disconnect");
  process.exit(0);
}

const child = fork(import.meta.filename, ["--collector"], { execArgv: ["--conditions=@drover/source"] });
const [otlpEndpoint] = (await once(child, "message")) as [string];

const before = { rss: process.memoryUsage().rss, ms: performance.now() };
const open = (traceRatio: number) =>
  openTracing({ otlpEndpoint, traceRatio, process: "bench", instance: "one", logger: silentLogger });
const rare = await open(0.01);
const loadMs = performance.now() - before.ms;
const loadMiB = (process.memoryUsage().rss - before.rss) / 2 ** 20;
const always = await open(1);

const local = await openLocalEngine(values.model, { prefillRowsMax: 512, prefixCache: false });
let serial = 0;

/** Microseconds of CPU for a token. */
async function round(tracer: Tracer): Promise<number> {
  const began = process.cpuUsage();
  const count = Number(values.requests);
  for (let done = 0; done < count; done += BATCH) {
    for (let i = 0; i < BATCH; i++) {
      const trace = tracer.begin("generate", {}, { kind: "server" });
      const prompt = Array.from({ length: PROMPT }, (_, at) => 100 + ((serial * 31 + at * 17) % 2000));
      local.engine.place({ ...greedyTask(`trace-${serial++}`, prompt, GENERATED), trace });
    }
    while (local.engine.load().pendingTokenCount > 0) await local.engine.step();
    local.engine.flush();
    local.events.length = 0;
    // Exports get their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / (Math.ceil(count / BATCH) * BATCH * GENERATED);
}

/** Microseconds of CPU for each of many spans of one kind, all of them made, ended, and at ratio 1 sent. */
async function spanCost(tracer: Tracer, count: number): Promise<number> {
  const began = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    tracer.begin("request", {}, { kind: "server", attributes: { "drover.prompt_tokens": i } })?.end();
    // Fewer than wait for the collector at most: none is dropped.
    if (i % 1000 === 999) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / count;
}

const spans = {
  off: await spanCost(noTracer, 20_000),
  rare: await spanCost(rare.tracer, 20_000),
  all: await spanCost(always.tracer, 20_000),
};
console.log(
  `a span: ${spans.off.toFixed(2)} us off, ${spans.rare.toFixed(2)} at ratio 0.01, ${spans.all.toFixed(2)} at ratio 1, sent`,
);

const kinds = { off: noTracer, "ratio 0.01": rare.tracer, "ratio 1": always.tracer };
const samples = new Map<string, number[]>(Object.keys(kinds).map((name) => [name, []]));
for (const tracer of Object.values(kinds)) await round(tracer);
for (let i = 0; i < Number(values.rounds); i++)
  for (const [name, tracer] of Object.entries(kinds)) samples.get(name)?.push(await round(tracer));

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
const off = median(samples.get("off") ?? []);
console.log(
  `load of OpenTelemetry: ${loadMs.toFixed(0)} ms, ${loadMiB.toFixed(1)} MiB; load of the machine ${loadavg()[0]?.toFixed(1)}`,
);
for (const [name, found] of samples) {
  const spread = `${Math.min(...found).toFixed(1)} to ${Math.max(...found).toFixed(1)}`;
  const rise = `${((median(found) / off - 1) * 100).toFixed(1)} %`;
  console.log(`${name.padEnd(10)}  ${median(found).toFixed(1)} us of CPU a token (${spread}), ${rise} over off`);
}
await rare[Symbol.asyncDispose]();
await always[Symbol.asyncDispose]();
child.disconnect();
process.exit(0);
