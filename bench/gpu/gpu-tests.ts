import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import { CUDA_LIBRARIES, type Cuda, CudaText, openCuda } from "@drover/cuda";
import type { Precision } from "../../libs/cuda/src/kernels/activations.ts";
import { CheckedCard } from "../../libs/cuda/src/kernels/checks/checked-card.ts";
import { Random } from "../../libs/cuda/src/kernels/checks/kernel-check.ts";
import { kernelChecks } from "../../libs/cuda/src/kernels/checks/kernel-checks.ts";
import { goldenCases } from "./golden-case.ts";
import { encodeTiles } from "./golden-pictures.ts";
import { type GoldenResult, runGoldens } from "./golden-run.ts";

/** All that needs a card: kernels beside their references, and the goldens' cases, those with pictures too, in f32 and in f16. */
const { values } = parseArgs({
  options: {
    goldens: { type: "string", default: "../shared/goldens" },
    checkpoints: { type: "string", default: "../shared" },
    "tokens-max": { type: "string", default: "3000" },
    cases: { type: "string", default: "1000" },
    /** Kernels whose names match, models, and whether only cases with pictures are run. */
    kernels: { type: "string", default: "." },
    models: { type: "string", default: "nano,nano-fp8,nano-ct-fp8,scout" },
    pictured: { type: "boolean", default: false },
    library: { type: "string" },
    cache: { type: "string" },
  },
});
const FOLDERS: Readonly<Record<string, string>> = { scout: join(values.goldens, "scout/checkpoint") };
const KV_BYTES = 64 * 2 ** 20;
const ROWS_MAX = 256;
let [passed, failed] = [0, 0];

function report(isRight: boolean, line: string): void {
  if (isRight) passed += 1;
  else failed += 1;
  console.log(`${isRight ? "passed" : "FAILED"}  ${line}`);
}

function checkKernels(cuda: Cuda): void {
  const card = new CheckedCard(cuda, values.cache);
  for (const { name, errorMax, run } of kernelChecks.filter(({ name }) => new RegExp(values.kernels).test(name))) {
    const error = run(card, new Random(7));
    report(error <= errorMax, `${name}: relative error ${error.toExponential(1)}, at most ${errorMax}`);
  }
  card.close();
}

/** By the goldens' own rules in f32; in f16 half of all log-probabilities within 5e-3, and 99% within 5e-2. */
function judge(precision: Precision, results: readonly GoldenResult[]): { isRight: boolean; line: string } {
  const all = results.flatMap(({ differences }) => differences).sort((a, b) => a - b);
  const share = (part: number) => all[Math.min(all.length - 1, Math.floor(all.length * part))] ?? Number.NaN;
  const marginMin = precision === "f32" ? 1e-3 : 5e-2;
  const wrong = results.filter(({ differs }) => differs !== undefined && differs.margin > marginMin);
  const limits = precision === "f32" ? { most: 2e-3 } : { median: 5e-3, p99: 5e-2 };
  const isNear =
    precision === "f32"
      ? share(1) <= (limits.most ?? 0)
      : share(0.5) <= (limits.median ?? 0) && share(0.99) <= (limits.p99 ?? 0);
  const figures = `median ${share(0.5).toExponential(1)}, 99% ${share(0.99).toExponential(1)}, most ${share(1).toExponential(1)}`;
  const names = wrong.map(({ name, differs }) => `${name} at ${differs?.step} (margin ${differs?.margin})`).join(", ");
  const far = results.filter(({ differences }) => Math.max(...differences) > 2e-3).map(({ name }) => name);
  const note = precision === "f32" && far.length > 0 ? `; over 2e-3: ${far.join(", ")}` : "";
  return {
    isRight: isNear && wrong.length === 0,
    line: `${results.length} cases, ${all.length} log-probabilities: ${figures}; greedy differs: ${names || "nowhere"}${note}`,
  };
}

async function checkGoldens(cuda: Cuda, name: string, precision: Precision, kv: Precision): Promise<void> {
  const file = join(values.goldens, name, "goldens.jsonl");
  const folder = FOLDERS[name] ?? join(values.checkpoints, name);
  if (!existsSync(file) || !existsSync(folder)) {
    console.log(`skipped ${name}: ${existsSync(file) ? folder : file} is not here`);
    return;
  }
  const config = await loadModelConfig(folder);
  await using checkpoint = await openCheckpoint(folder);
  const began = performance.now();
  const options = { precision, kv, kvBytesMax: KV_BYTES, rowsMax: ROWS_MAX, cacheFolder: values.cache };
  const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
  const text = await CudaText.load(cuda, config, source, options);
  const loaded = performance.now();
  const all = goldenCases(file, Number(values["tokens-max"]));
  const wanted = values.pictured ? all.filter(({ tiles = [] }) => tiles.length > 0) : all;
  const cases = wanted.slice(0, Number(values.cases));
  const features = await encodeTiles(cuda, checkpoint, join(values.goldens, name), cases, precision, values.cache);
  const results: GoldenResult[] = [];
  // As many side by side as memory has room for at their lengths.
  for (let i = 0; i < cases.length; i += 8)
    results.push(...(await runGoldens(text, cases.slice(i, i + 8), 100, KV_BYTES, ({ name }) => features.get(name))));
  const { isRight, line } = judge(precision, results);
  const seconds = `loaded in ${((loaded - began) / 1e3).toFixed(1)} s, ran ${((performance.now() - loaded) / 1e3).toFixed(1)} s`;
  report(isRight, `goldens ${name}, ${precision}, KV in ${kv}, ${features.size} with pictures: ${line} (${seconds})`);
  text.close();
}

async function main(): Promise<void> {
  let cuda: Cuda;
  try {
    cuda = await openCuda(
      0,
      values.library ? { driver: [values.library], compiler: [values.library] } : CUDA_LIBRARIES,
    );
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== "unavailable") throw error;
    console.log(`No card here, nothing was tested: ${error.message}`);
    return;
  }
  const { name, byteCount, architecture, multiprocessorCount } = cuda.device.facts;
  console.log(
    `${name}, ${(byteCount / 2 ** 30).toFixed(0)} GiB, sm_${architecture}, ${multiprocessorCount} multiprocessors`,
  );
  const free = cuda.device.freeBytes;
  checkKernels(cuda);
  for (const [precision, kv] of [
    ["f32", "f32"],
    ["f16", "f32"],
    ["f16", "f16"],
  ] as const)
    for (const model of values.models.split(",")) await checkGoldens(cuda, model, precision, kv);
  report(
    cuda.device.freeBytes >= free - 2 ** 25,
    `memory: ${free - cuda.device.freeBytes} bytes less free than at the start`,
  );
  cuda.device.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
