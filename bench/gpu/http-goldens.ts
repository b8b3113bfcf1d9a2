import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DroverError } from "@drover/core";
import { countCards } from "@drover/cuda";
import { Served } from "./served.ts";

/**
 * The goldens over the public HTTP API of a cluster on a card, by the goldens' own check: with cached prefixes and without, in small steps and large, with
 * little memory for KV, and with old rows of long prompts at context workers on the same card; then once more behind what the first time has cached, and many long outputs at once that do not fit, whose tokens have to be those of
 * each alone. All of it has to hold: in f32 by the goldens' own rules, in f16 within 5e-2.
 */
const { values } = parseArgs({
  allowNegative: true,
  options: {
    goldens: { type: "string", default: "../shared/goldens" },
    checkpoints: { type: "string", default: "../shared" },
    device: { type: "string", default: "cuda:0" },
    precisions: { type: "string", default: "f32,f16" },
    models: { type: "string", default: "nano,nano-fp8,nano-ct-fp8,scout" },
    "max-ids": { type: "string", default: "100000" },
    settings: { type: "string", default: "0,1,2,3" },
    images: { type: "boolean", default: true },
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
const TIGHT = { nano: "16MiB", scout: "6MiB" };
const SETTINGS: readonly Setting[] = [
  { name: "chunks of 64, prefixes cached", flags: ["--prefill-chunk", "64"], concurrency: 32, kv: ROOM },
  {
    name: "chunks of 1000, nothing cached",
    flags: ["--prefill-chunk", "1000", "--prefix-cache", "off"],
    concurrency: 1,
    kv: ROOM,
  },
  { name: "little memory", flags: ["--prefill-chunk", "256"], concurrency: 32, kv: TIGHT },
  {
    name: "old rows with two context workers on the card",
    flags: ["--prefill-chunk", "256", "--stripe-above", "1024", "--context-workers", "2", "--context-device", "cuda:0"],
    concurrency: 8,
    kv: ROOM,
  },
];
/** What is asked of a prompt has it computed anew: without these its cached part is used. */
const ANSWERS_ALONE = ["--without", "logprobs", "experts", "images"];
const PRESSED = "as alone under pressure";
const PRESSURE = { outputs: 24, compared: 6, tokens: 700 } as const;
let [passed, failed] = [0, 0];

/** Whether the first of many long outputs at once have the tokens that each has alone. */
async function underPressure(served: Served): Promise<string> {
  const prompt = (i: number) => Array.from({ length: 40 }, (_, k) => 1 + ((k * 37 + i * 101) % 400));
  const alone: number[][] = [];
  for (let i = 0; i < PRESSURE.compared; i++) alone.push(await served.tokens(prompt(i), PRESSURE.tokens));
  const together = await Promise.all(
    Array.from({ length: PRESSURE.outputs }, (_, i) => served.tokens(prompt(i), PRESSURE.tokens)),
  );
  const differing = alone.filter((tokens, i) => tokens.join() !== together[i]?.join()).length;
  return differing === 0 ? PRESSED : `${differing} of ${alone.length} outputs differ under pressure`;
}

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
  const prompts = await served.check(file, [...more, ...(values.images ? [] : ["--without", "images"])]);
  const again = await served.check(file, ["--concurrency", "8", "--max-ids", values["max-ids"], ...ANSWERS_ALONE]);
  const pressure = kv === TIGHT ? await underPressure(served) : PRESSED;
  const counts = ["vllm:num_preemptions", "vllm:prefix_cache_hits"];
  const [preempted, hits] = await Promise.all(counts.map((series) => served.metric(series)));
  const seconds = `ready in ${((ready - began) / 1e3).toFixed(1)} s, ran ${((performance.now() - ready) / 1e3).toFixed(1)} s`;
  const facts = `${seconds}; answers alone: ${again.lines.at(-1)}; ${pressure}; ${preempted} preempted, ${hits} prompt tokens cached`;
  const ok = prompts.ok && again.ok && pressure === PRESSED;
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? "passed" : "FAILED"}  http ${model}, ${precision}, ${name}: ${prompts.lines.at(-1)} (${facts})`);
  for (const line of [...prompts.lines.slice(0, -1), ...again.lines.slice(0, -1)])
    console.log(`        ${line.slice(0, 300)}`);
}

try {
  await countCards();
} catch (error) {
  if (!(error instanceof DroverError) || error.code !== "unavailable") throw error;
  console.log(`No card here, nothing was served: ${error.message}`);
  process.exit(0);
}
for (const precision of values.precisions.split(","))
  for (const model of values.models.split(","))
    for (const setting of SETTINGS.filter((_, i) => values.settings.split(",").includes(String(i)))) {
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
