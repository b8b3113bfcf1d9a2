import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { loadTemplateSource } from "@drover/chat";
import { neverAborted } from "@drover/core";
import { PromptPool } from "@drover/intake";
import { loadTokenizer } from "@drover/tokenizer";

/**
 * Text to ids on one thread, and through the pool while the main thread's event loop is watched. The goal: 4 MB in under 2 s on one core, and
 * the loop never blocked for more than 20 ms. Back of the envelope: 4 MB are some 1.3 million tokens in as many pieces; at 50 ns a piece that
 * is 65 ms, and a copy of the text to the thread is 8 MB at some GB/s, 4 ms.
 */
const shared = join(import.meta.dirname, "../../shared");
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(shared, "llama4-tokenizer") },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(values.rounds);

type BigText = Readonly<{ name: string; size: number; seed: number; tokens: number; sha256_ids: string }>;
type Recipe = Readonly<{ words: string[]; separators: string[]; texts: BigText[] }>;

/** Words by a linear congruential generator, as the reference data's recipe says. */
function wordsText({ words, separators }: Recipe, { size, seed }: BigText): string {
  let state = seed >>> 0;
  const draw = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) % below;
  };
  let text = "";
  for (let bytes = 0; bytes < size; ) {
    const part = (words[draw(words.length)] ?? "") + (separators[draw(separators.length)] ?? "");
    text += part;
    bytes += Buffer.byteLength(part);
  }
  return text;
}

/** What no cache helps with: base64 of bytes of a generator. */
function randomText(size: number): string {
  let state = 1;
  const bytes = Uint8Array.from({ length: (size * 3) / 4 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
  return Buffer.from(bytes).toString("base64");
}

/** `blockedMs` is how late the loop's timer came at most, which on a busy machine is also others' work; `cpuMs` is this thread's own. */
type Sample = Readonly<{ ms: number; blockedMs: number; cpuMs: number }>;

async function measure(work: () => Promise<unknown>): Promise<Sample> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(20);
  const cpuStart = process.threadCpuUsage();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const cpu = process.threadCpuUsage(cpuStart);
  await sleep(20);
  delay.disable();
  return { ms, blockedMs: delay.max / 1e6, cpuMs: (cpu.user + cpu.system) / 1000 };
}

const recipeFile = join(shared, "goldens/tokenizer/big.json");
const recipe: Recipe | undefined = existsSync(recipeFile) ? JSON.parse(readFileSync(recipeFile, "utf8")) : undefined;
const texts: { name: string; text: string; expected?: BigText }[] = (recipe?.texts ?? []).map((expected) => ({
  name: `${expected.name} of words`,
  text: wordsText(recipe ?? { words: [], separators: [], texts: [] }, expected),
  expected,
}));
texts.push(
  { name: "4 MB, random", text: randomText(4_000_000) },
  { name: "4 MB, one letter", text: "a".repeat(4_000_000) },
);

const loadStart = performance.now();
const tokenizer = await loadTokenizer(values.model);
const loadMs = performance.now() - loadStart;
const startStart = performance.now();
await using pool = await PromptPool.start({
  tokenizer,
  template: await loadTemplateSource(values.model),
  patchesPerTile: undefined,
  threads: 1,
});
process.stdout.write(
  `${cpus()[0]?.model}, ${cpus().length} cores; ${values.model}: loaded in ${loadMs.toFixed(0)} ms, ` +
    `a thread in ${(performance.now() - startStart).toFixed(0)} ms; ${rounds} rounds, the median and the worst\n`,
);
const paths = {
  "this thread": async (text: string) => tokenizer.encode(text),
  "pool, text": (text: string) => pool.encodeText(text, neverAborted),
  "pool, chat": (content: string) =>
    pool.encodeChat({ messages: [{ role: "user", content }], addGenerationPrompt: true }, [], neverAborted),
};
for (const { name, text, expected } of texts) {
  const ids = tokenizer.encode(text);
  if (expected !== undefined && createHash("sha256").update(ids).digest("hex") !== expected.sha256_ids)
    throw new Error(`${name}: the ids are not the reference's`);
  for (const [path, encode] of Object.entries(paths)) {
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) samples.push(await measure(() => encode(text)));
    const times = samples.map(({ ms }) => ms).sort((a, b) => a - b);
    const most = (of: keyof Sample) => Math.max(...samples.map((sample) => sample[of])).toFixed(1);
    process.stdout.write(
      `${name.padEnd(18)} ${path.padEnd(12)} ${String(ids.length).padStart(8)} tokens  ` +
        `${(times[rounds >> 1] ?? 0).toFixed(0).padStart(5)} ms (${(times.at(-1) ?? 0).toFixed(0)})  ` +
        `loop blocked at most ${most("blockedMs")} ms, this thread's CPU ${most("cpuMs")} ms\n`,
    );
  }
}
