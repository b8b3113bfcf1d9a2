import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Served } from "./served.ts";

/**
 * The goldens over the public HTTP API of a cluster on a card, by the goldens' own check: with cached prefixes and without, in small steps and large, and with
 * so little memory for KV that requests are preempted. In f32 all of them have to hold; of 16 bits it is told how many do, within 5e-2.
 */
const { values } = parseArgs({
  options: {
    goldens: { type: "string", default: "../shared/goldens" },
    checkpoints: { type: "string", default: "../shared" },
    device: { type: "string", default: "cuda:0" },
    precisions: { type: "string", default: "f32,f16,bf16" },
    models: { type: "string", default: "nano,nano-fp8,nano-ct-fp8,scout" },
    "max-ids": { type: "string", default: "100000" },
    settings: { type: "string", default: "3" },
    images: { type: "boolean", default: false },
  },
});

type Setting = Readonly<{
  name: string;
  flags: readonly string[];
  concurrency: number;
  kv: Readonly<Record<string, string>>;
}>;
const ROOM = { nano: "256MiB", scout: "256MiB" };
/** Room for the longest prompt and little more. */
const TIGHT = { nano: "20MiB", scout: "8MiB" };
const SETTINGS: readonly Setting[] = [
  { name: "chunks of 64, prefixes cached", flags: ["--prefill-chunk", "64"], concurrency: 32, kv: ROOM },
  {
    name: "chunks of 1000, nothing cached",
    flags: ["--prefill-chunk", "1000", "--prefix-cache", "off"],
    concurrency: 1,
    kv: ROOM,
  },
  { name: "little memory", flags: ["--prefill-chunk", "256"], concurrency: 32, kv: TIGHT },
];
let [passed, failed] = [0, 0];

async function run(model: string, precision: string, { name, flags, concurrency, kv }: Setting): Promise<void> {
  const file = resolve(values.goldens, model, "goldens.jsonl");
  const folder = model === "scout" ? resolve(values.goldens, "scout/checkpoint") : resolve(values.checkpoints, model);
  if (!existsSync(file) || !existsSync(join(folder, "config.json"))) {
    console.log(`skipped ${model}: ${existsSync(file) ? folder : file} is not here`);
    return;
  }
  const began = performance.now();
  const memory = kv[model === "scout" ? "scout" : "nano"] ?? "256MiB";
  const device = ["--device", values.device, "--precision", precision, "--kv-memory", memory];
  await using served = await Served.start(folder, [...device, ...flags]);
  const ready = performance.now();
  const tolerance = precision === "f32" ? "2e-3" : "5e-2";
  const more = ["--concurrency", String(concurrency), "--max-ids", values["max-ids"], "--tolerance", tolerance];
  const { ok, lines } = await served.check(file, [...more, ...(values.images ? [] : ["--without", "images"])]);
  const counts = ["vllm:num_preemptions", "vllm:prefix_cache_hits"];
  const [preempted, hits] = await Promise.all(counts.map((series) => served.metric(series)));
  const seconds = `ready in ${((ready - began) / 1e3).toFixed(1)} s, ran ${((performance.now() - ready) / 1e3).toFixed(1)} s`;
  const facts = `${seconds}; ${preempted} preempted, ${hits} prompt tokens cached`;
  const has = precision === "f32";
  if (has && ok) passed += 1;
  if (has && !ok) failed += 1;
  console.log(
    `${has ? (ok ? "passed" : "FAILED") : "told  "}  http ${model}, ${precision}, ${name}: ${lines.at(-1)} (${facts})`,
  );
  if (has) for (const line of lines.slice(0, -1)) console.log(`        ${line.slice(0, 300)}`);
}

for (const precision of values.precisions.split(","))
  for (const model of values.models.split(","))
    for (const setting of SETTINGS.slice(0, precision === "f32" ? Number(values.settings) : 1)) {
      try {
        await run(model, precision, setting);
      } catch (error) {
        failed += 1;
        console.log(
          `FAILED  http ${model}, ${precision}, ${setting.name}: ${error instanceof Error ? error.message.slice(-3000) : error}`,
        );
      }
    }
console.log(`http: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
