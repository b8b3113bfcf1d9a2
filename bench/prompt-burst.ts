import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { median, quantile } from "./serving/figures.ts";

/**
 * Prompts that come to one engine at once: when each has its first token, what the streams then get, and how streams that ran before go on meanwhile. One
 * thread, experts in the process, the step of `drover worker`. Time is the process's CPU time, also to the engine itself, so that a busy machine changes neither what steps
 * are planned nor what they take. Several checkouts (`--checkout DIR --checkout DIR`, each set up before) take turns, a process each.
 * Back of the envelope: n prompts of 100 tokens of nano at 0.28 ms a row are 28 n ms; one after the other, the middle one has its token at half of that.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    streams: { type: "string", default: "8,32" },
    /** Streams that decode when the prompts come. */
    running: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    prompt: { type: "string", default: "100" },
    /** By how many tokens prompts are shorter and longer than that. */
    spread: { type: "string", default: "0" },
    tokens: { type: "string", default: "64" },
    "step-ms": { type: "string", default: "18" },
    /** Internal: measures one round of this checkout, and writes it as JSON. */
    side: { type: "string" },
  },
});

type Burst = Readonly<{ firstMs: number[]; gapsMs: number[]; runningGapsMs: number[]; tokensPerSecond: number }>;

if (values.side === undefined) await compare();
else console.log(JSON.stringify(await measureSide(values.side)));

async function compare(): Promise<void> {
  const found = new Map<string, Burst[]>();
  for (let round = 0; round < Number(values.rounds); round++)
    for (const side of round % 2 === 0 ? values.checkout : values.checkout.toReversed()) {
      const args = process.argv.slice(2).concat("--side", resolve(side));
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=@drover/source", import.meta.filename, ...args],
        { maxBuffer: 2 ** 28 },
      );
      for (const [streams, burst] of Object.entries(JSON.parse(stdout) as Record<string, Burst>))
        found.set(`${streams} ${side}`, [...(found.get(`${streams} ${side}`) ?? []), burst]);
    }
  console.log(
    `load of the machine ${loadavg()[0]?.toFixed(1)}; ms of CPU, medians of ${values.rounds} rounds, ${values.running} streams before`,
  );
  console.log(
    "| prompts at once, checkout | first token p50 | last | tokens/s | gap p50, p99, most | of those before p50, p99, most |\n|---|---|---|---|---|---|",
  );
  for (const streams of values.streams.split(","))
    for (const side of values.checkout) {
      const rounds = found.get(`${streams} ${side}`) ?? [];
      const middle = (pick: (burst: Burst) => number) => median(rounds.map(pick));
      const gaps = (pick: (burst: Burst) => number[]) =>
        [0.5, 0.99, 1].map((share) => middle((one) => quantile(pick(one), share)).toFixed(1)).join(", ");
      const firsts = [0.5, 1].map((share) => middle((one) => quantile(one.firstMs, share)).toFixed(0));
      const cells = [...firsts, middle((one) => one.tokensPerSecond).toFixed(0)];
      console.log(
        `| ${[`${streams}, ${side}`, ...cells, gaps((one) => one.gapsMs), gaps((one) => one.runningGapsMs)].join(" | ")} |`,
      );
    }
}

/** One burst of each size, after one that is not measured. */
async function measureSide(checkout: string): Promise<Record<string, Burst>> {
  const cpuMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  performance.now = cpuMs;
  const kit = (await import(
    pathToFileURL(join(checkout, "libs/testkit/src/index.ts")).href
  )) as typeof import("@drover/testkit");
  const local = await kit.openLocalEngine(values.model, {
    prefillRowsMax: 512,
    stepMs: Number(values["step-ms"]),
    prefixCache: false,
  });
  let serial = 0;
  const place = (name: string, tokens: number) => {
    const spread = Number(values.spread);
    const length = Number(values.prompt) - spread + ((serial * 7919) % (2 * spread + 1));
    const prompt = Array.from({ length }, (_, at) => 100 + ((serial * 131 + at * 17) % 2000));
    const id = `${name}-${serial++}`;
    local.engine.place(kit.greedyTask(id, prompt, tokens));
    return id;
  };
  const times = new Map<string, number[]>();
  const step = async () => {
    local.events.length = 0;
    await local.engine.step();
    local.engine.flush();
    for (const { requestId, event } of local.events)
      if (event.kind === "token") times.set(requestId, [...(times.get(requestId) ?? []), cpuMs()]);
  };
  const burst = async (count: number): Promise<Burst> => {
    times.clear();
    const running = Array.from({ length: Number(values.running) }, () => place("running", 100_000));
    while (running.some((id) => (times.get(id)?.length ?? 0) < 8)) await step();
    const ids = Array.from({ length: count }, () => place("burst", Number(values.tokens)));
    const beganMs = cpuMs();
    while (ids.some((id) => (times.get(id)?.length ?? 0) < Number(values.tokens))) await step();
    const endedMs = cpuMs();
    for (const id of running) local.engine.cancel(id as Parameters<typeof local.engine.cancel>[0], 1);
    const gaps = (list: readonly string[]) =>
      list.flatMap((id) => {
        const at = (times.get(id) ?? []).filter((ms) => ms <= endedMs);
        return at.slice(1).flatMap((ms, i) => (ms > beganMs ? [ms - (at[i] ?? ms)] : []));
      });
    return {
      firstMs: ids.map((id) => (times.get(id)?.[0] ?? Number.NaN) - beganMs),
      gapsMs: gaps(ids),
      runningGapsMs: gaps(running),
      tokensPerSecond: (count * Number(values.tokens) * 1000) / (endedMs - beganMs),
    };
  };
  const found: Record<string, Burst> = {};
  for (const streams of values.streams.split(",").map(Number)) {
    await burst(streams);
    found[String(streams)] = await burst(streams);
  }
  return found;
}
