import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  cardAccounts,
  expertRows,
  imbalance,
  type PlannedWeights,
  plannedWeights,
  untilExperts,
} from "./card-accounts.ts";
import { type EightCluster, eightClusters } from "./eight-clusters.ts";
import { EightTable } from "./eight-table.ts";
import { differing, killUnderStreams } from "./killed-worker.ts";
import { makeFp8 } from "./made-fp8.ts";
import { Served } from "./served.ts";
import { shapeConfig } from "./shape-config.ts";
import { measureLevel, promptOf, servedModel } from "./stream-level.ts";
import { rank, streamTokens } from "./stream-tokens.ts";
import { stripedPrompt } from "./striped-prompt.ts";

/**
 * Maverick in FP8 on one host of eight cards, or its share on four or two (`--cards`): a made checkpoint in its true shapes, of as many layers as there is room for, and in one command: load time,
 * `drover plan` beside what each card says, decode at 1 to 256 streams, first tokens, exchange by memory and by gRPC, attention on all cards and on two, balance of experts held once and twice, one
 * long prompt in stripes beside 32 streams, and a worker that is killed under streams. Prints each line as it is measured and all of them as one table at the end; what time does not allow is told.
 */
const { values } = parseArgs({
  options: {
    cards: { type: "string", default: "8" },
    /** Default: a share of Maverick's 48. */
    layers: { type: "string", default: "" },
    tiny: { type: "boolean", default: false },
    folder: { type: "string", default: join(tmpdir(), "made-fp8") },
    streams: { type: "string", default: "1,8,32,128,256" },
    fresh: { type: "string", default: "1,8,32" },
    cached: { type: "string", default: "500" },
    generated: { type: "string", default: "128" },
    /** Levels of the clusters that are compared with the first. */
    compared: { type: "string", default: "32,128" },
    long: { type: "string", default: "1048576" },
    killed: { type: "string", default: "128" },
    /** Further flags of `drover up`. */
    flags: { type: "string", default: "" },
    /** Clusters by a part of their names; default: all. */
    only: { type: "string", default: "" },
    minutes: { type: "string", default: "9.5" },
  },
});
const began = performance.now();
const cards = Number(values.cards);
const layers = values.layers === "" ? Math.min(48, cards === 4 ? 24 : 6 * cards) : Number(values.layers);
const [cached, generated, long] = [Number(values.cached), Number(values.generated), Number(values.long)];
const numbersOf = (list: string) => list.split(",").filter(Boolean).map(Number);
const levels = numbersOf(values.streams);
const most = Math.max(...levels, Number(values.killed));
const table = new EightTable();
const seconds = (since: number) => ((performance.now() - since) / 1e3).toFixed(1);
const minutes = () => (performance.now() - began) / 60e3;
const prompts = (count: number) => Array.from({ length: count }, (_, i) => promptOf(cached, i));
const FLAGS = ["--prefill-chunk", "2048", ...values.flags.split(" ").filter(Boolean)];
const HOOK = { NODE_OPTIONS: `--import=${join(import.meta.dirname, "pooled-reads.ts")}` };

/** What the driver's own tool says is in use on each card. */
function cardUse(): string {
  try {
    const asked = ["--query-gpu=memory.used", "--format=csv,noheader"];
    return execFileSync("nvidia-smi", asked, { encoding: "utf8" }).trim().replaceAll("\n", ", ");
  } catch {
    return "no nvidia-smi";
  }
}

async function level(served: Served, cluster: string, model: string, count: number) {
  const before = await expertRows(served);
  const found = await measureLevel(served, model, prompts(count), generated);
  table.level(cluster, `${cached} tokens cached`, found, imbalance(before, await expertRows(served)));
  return found;
}

/** First tokens of prompts that nobody has seen. */
async function fresh(served: Served, cluster: string, model: string, count: number): Promise<void> {
  const before = await expertRows(served);
  const asked = Array.from({ length: count }, (_, i) => promptOf(cached, 100_000 + 1000 * count + i));
  const found = await measureLevel(served, model, asked, 32);
  table.level(cluster, `${cached} tokens new`, found, imbalance(before, await expertRows(served)));
}

/** Streams as in quiet times, once more to see what chance does to them, and once more while a worker is killed. */
async function kill(served: Served, cluster: string, model: string): Promise<void> {
  const count = Number(values.killed);
  const quiet = await level(served, cluster, model, count);
  const again = await measureLevel(served, model, prompts(count), generated);
  const worker = served.workers.filter((name) => name.startsWith("attention")).at(-1) ?? "";
  const asked = { prompts: prompts(count), expected: quiet.found };
  const outcome = await killUnderStreams(served, model, asked, { worker, afterMs: quiet.wallMs / 2 });
  const { differing: verdict, errors, pauseMs } = outcome;
  table.add({
    ...{ cluster, what: `${worker} killed`, streams: String(count) },
    remarks: [
      `streams with other tokens than in quiet times: ${verdict.line} (of two quiet runs ${differing(again.found, quiet.found)} differ), ${errors} errors`,
      `longest pause of a stream p50 ${rank(pauseMs, 0.5).toFixed(0)}, p99 ${rank(pauseMs, 0.99).toFixed(0)}, most ${rank(pauseMs, 1).toFixed(0)} ms`,
    ].join("; "),
  });
}

async function run({ name, copies, flags }: EightCluster, planned: PlannedWeights, isFirst: boolean): Promise<void> {
  const starting = performance.now();
  await using served = await Served.start(values.folder, [...flags, ...FLAGS], HOOK);
  const ready = seconds(starting);
  const { expertCount, moeLayers } = shapeConfig("maverick", layers, values.tiny);
  const held = await untilExperts(served, Math.min(copies, cards) * expertCount * moeLayers.length);
  const accounts = await cardAccounts(served, planned);
  for (const line of accounts.lines) console.log(`  ${line}`);
  const off = `weights are ${(100 * accounts.worst).toFixed(2)}% off the plan at most`;
  table.add({
    cluster: name,
    what: "start",
    remarks: `ready in ${ready} s, all experts ${(held / 1e3).toFixed(1)} s later; ${off}; in use ${cardUse()}`,
  });
  const model = await servedModel(served.url);
  const wanted = isFirst ? levels : numbersOf(values.compared);
  const warming = performance.now();
  const highest = copies > 1 ? most : Math.max(...wanted);
  await Promise.all(prompts(highest).map((prompt) => streamTokens(served.url, model, prompt, 1)));
  const rate = ((1e3 * highest * cached) / (performance.now() - warming)).toFixed(0);
  const took = `${seconds(warming)} s, ${rate} tokens/s`;
  table.add({
    cluster: name,
    what: `${cached} tokens new`,
    streams: String(highest),
    remarks: `prompts alone: ${took}`,
  });
  for (const count of wanted)
    if (copies === 1 || count !== Number(values.killed)) await level(served, name, model, count);
  if (isFirst) for (const count of numbersOf(values.fresh)) await fresh(served, name, model, count);
  if (isFirst && long > 0) {
    const short = { count: Math.min(32, most), promptOf: (i: number) => promptOf(cached, i), generated };
    table.add({ cluster: name, ...(await stripedPrompt(served, model, promptOf(long, 900_000), short)) });
  }
  if (copies > 1) await kill(served, name, model);
}

try {
  await makeFp8(values.folder, { model: "maverick", layers, isTiny: values.tiny });
  console.log(`Maverick in FP8, ${layers} of 48 layers, ${cards} cards: made in ${seconds(began)} s`);
  const planned = await plannedWeights(values.folder, cards);
  const shape = { cards, layers, isTiny: values.tiny, streams: most, tokens: cached + generated, long };
  for (const [i, cluster] of eightClusters(shape).entries()) {
    if (!cluster.name.includes(values.only)) continue;
    if (minutes() > Number(values.minutes)) {
      table.add({ cluster: cluster.name, remarks: "not run: the time was over" });
      continue;
    }
    try {
      await run(cluster, planned, i === 0);
    } catch (error) {
      const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
      console.log(words.slice(-6000));
      table.add({ cluster: cluster.name, remarks: `FAILED: ${words.split("\n")[0]?.slice(0, 300)}` });
      process.exitCode = 1;
    }
  }
} finally {
  console.log(`\n${table}\n${minutes().toFixed(1)} minutes`);
}
