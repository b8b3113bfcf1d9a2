import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { killWorker } from "./killed-worker.ts";
import { type ComparedStream, compareStreams, type Verdict } from "./near-tie.ts";
import { Served } from "./served.ts";

/**
 * One model over two cards: the goldens' text cases over HTTP, where each of two processes has attention and some of the experts, and where the experts are with processes of
 * their own; and streams whose tokens are compared with those of quiet times while a process is killed again and again.
 */
const { values } = parseArgs({
  options: {
    goldens: { type: "string", default: "../shared/goldens" },
    checkpoints: { type: "string", default: "../shared" },
    models: { type: "string", default: "scout,nano-ct-fp8" },
    precisions: { type: "string", default: "f16,f32" },
    "max-ids": { type: "string", default: "100000" },
    cards: { type: "string", default: "2" },
    kills: { type: "string", default: "3" },
    "killed-precisions": { type: "string", default: "f16" },
    "killed-tokens": { type: "string", default: "200" },
    flags: { type: "string", default: "" },
    only: { type: "string", default: "" },
  },
});
const [FIRST, SECOND] = ["cuda:0", values.cards === "2" ? "cuda:1" : "cuda:0"];
/** Bytes of somewhat more than half of the experts, as a card keeps them. */
const HALF: Readonly<Record<string, string>> = { f16: "2600KiB", f32: "1200KiB" };
const STREAMS = 16;
const TOKENS = Number(values["killed-tokens"]);
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
let [passed, failed] = [0, 0];

function report(ok: boolean, line: string): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? "passed" : "FAILED"}  ${line}`);
}

const clusters = (precision: string): Readonly<Record<string, readonly string[]>> => ({
  "attention and half of the experts on each": [
    ...(values.cards === "2"
      ? ["--gpus", "2"]
      : ["--device", FIRST, "--attention-workers", "2", "--expert-workers", "0"]),
    ...["--expert-memory", HALF[precision] ?? "1MiB"],
  ],
  "attention on one, two expert workers on the other": [
    ...["--device", FIRST, "--expert-workers", "2", "--expert-device", SECOND],
  ],
});

const prompt = (i: number) => Array.from({ length: 40 }, (_, k) => 1 + ((k * 37 + i * 101) % 400));

/** Streams run without a pause while a worker is killed, each time after it is back. */
async function kill(served: Served, victim: string, precision: string): Promise<Verdict> {
  const expected = await Promise.all(Array.from({ length: STREAMS }, (_, i) => served.tokens(prompt(i), TOKENS)));
  let isOver = false;
  const counts = { right: 0, errors: 0 };
  const others: ComparedStream[] = [];
  const streams = expected.map(async (tokens, i) => {
    while (!isOver) {
      const found = await served.tokens(prompt(i), TOKENS).catch(() => undefined);
      if (found === undefined) counts.errors += 1;
      else if (found.join() === tokens.join()) counts.right += 1;
      else others.push({ name: `stream ${i}`, prompt: prompt(i), expected: tokens, found });
    }
  });
  for (let i = 0; i < Number(values.kills); i++) {
    await pause(1500);
    killWorker(victim);
    const before = counts.right;
    for (const until = performance.now() + 60_000; counts.right < before + STREAMS && performance.now() < until; )
      await pause(50);
  }
  isOver = true;
  await Promise.all(streams);
  const { ok, line } = await compareStreams(served, others, precision, true);
  return { ok, line: `${line}; ${counts.errors} errors, ${counts.right} right` };
}

async function run(model: string, precision: string, name: string, flags: readonly string[]): Promise<void> {
  let ended = () => "";
  try {
    await runOn(model, precision, name, flags, (served) => {
      ended = () => served.lines(/./).slice(-40).join("\n");
    });
  } catch (error) {
    console.log(ended());
    throw error;
  }
}

async function runOn(
  model: string,
  precision: string,
  name: string,
  flags: readonly string[],
  started: (served: Served) => void,
): Promise<void> {
  const file = resolve(values.goldens, model, "goldens.jsonl");
  const folder = model === "scout" ? resolve(values.goldens, "scout/checkpoint") : resolve(values.checkpoints, model);
  const began = performance.now();
  await using served = await Served.start(folder, [
    ...flags,
    ...["--precision", precision, "--kv-memory", "256MiB", "--prefill-chunk", "256", "--prefix-cache", "off"],
    ...values.flags.split(" ").filter(Boolean),
  ]);
  started(served);
  const ready = performance.now();
  const tolerance = precision === "f32" ? "2e-3" : "5e-2";
  const more = ["--concurrency", "16", "--max-ids", values["max-ids"], "--tolerance", tolerance, "--without", "images"];
  const { ok, lines } = await served.check(file, more);
  const seconds = `ready in ${((ready - began) / 1e3).toFixed(1)} s, ran ${((performance.now() - ready) / 1e3).toFixed(1)} s`;
  const [missing, asked, direct] = await Promise.all([
    served.metric("drover_exchange_missing_rows_total"),
    served.metric("drover_exchange_seconds_count"),
    served.metric("drover_exchange_frames_total{", 'transport="card_memory"'),
  ]);
  report(
    ok && (asked ?? 0) > 0,
    `${model}, ${precision}, ${name}: ${lines.at(-1)} (${seconds}; ${asked} calls, ${direct} by cards, ${missing} rows missing)`,
  );
  for (const line of served.lines(/card_memory/)) console.log(`        ${line.slice(0, 300)}`);
  for (const line of lines.slice(0, -1)) console.log(`        ${line.slice(0, 300)}`);
  if (Number(values.kills) === 0 || !values["killed-precisions"].split(",").includes(precision)) return;
  const victim = name.startsWith("attention and") ? "attention-1" : "experts-0";
  const said = await kill(served, victim, precision);
  report(said.ok, `${model}, ${name}: ${victim} killed ${values.kills} times: ${said.line}`);
}

for (const precision of values.precisions.split(","))
  for (const model of values.models.split(","))
    for (const [name, flags] of Object.entries(clusters(precision))) {
      if (!name.includes(values.only)) continue;
      try {
        await run(model, precision, name, flags);
      } catch (error) {
        report(
          false,
          `${model}, ${precision}, ${name}: ${error instanceof Error ? error.message.slice(-3000) : error}`,
        );
      }
    }
console.log(`two cards: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
