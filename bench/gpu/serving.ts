import { parseArgs } from "node:util";
import { Served } from "./served.ts";

/**
 * A whole cluster on a card over HTTP: `serving.ts --model FOLDER`, for each number of streams tokens a second, the median time to the first token, and
 * between tokens the median and the 99th percentile. Prompts of 64 tokens, 256 generated. With a small model it shows what a token costs beside the card's own work.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/nano" },
    streams: { type: "string", default: "1,8,32,64" },
    rounds: { type: "string", default: "3" },
    flags: { type: "string", default: "--device cuda:0 --expert-workers 0" },
  },
});
const PROMPT = 64;
const GENERATED = 256;

type Stream = Readonly<{ firstMs: number; gapsMs: readonly number[] }>;

let serial = 0;
async function stream(url: string, model: string): Promise<Stream> {
  const prompt = Array.from({ length: PROMPT }, (_, at) => 100 + ((serial * 31 + at * 17) % 2000));
  serial++;
  const body = { model, prompt, max_tokens: GENERATED, ignore_eos: true, temperature: 0, stream: true };
  const headers = { "content-type": "application/json" };
  const began = performance.now();
  const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status !== 200 || answer.body === null) throw new Error(await answer.text());
  const gapsMs: number[] = [];
  let last = began;
  for await (const _ of answer.body) {
    const now = performance.now();
    gapsMs.push(now - last);
    last = now;
  }
  const [firstMs = Number.NaN, ...rest] = gapsMs;
  return { firstMs, gapsMs: rest };
}

const rank = (numbers: readonly number[], part: number) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(part * (numbers.length - 1))] ?? Number.NaN;

await using served = await Served.start(values.model, values.flags.split(" ").filter(Boolean));
const list = (await (await fetch(`${served.url}/v1/models`)).json()) as { data: { id: string }[] };
const model = list.data[0]?.id ?? "";
for (let i = 0; i < 2; i++) await Promise.all(Array.from({ length: 8 }, () => stream(served.url, model)));
console.log("| streams | tokens/s | first token ms | between tokens ms, p50 | p99 |\n|---|---|---|---|---|");
for (const streams of values.streams.split(",").map(Number)) {
  const rounds: Readonly<{ tokensPerSecond: number; found: readonly Stream[] }>[] = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const began = performance.now();
    const found = await Promise.all(Array.from({ length: streams }, () => stream(served.url, model)));
    rounds.push({ tokensPerSecond: (streams * GENERATED * 1000) / (performance.now() - began), found });
  }
  const all = rounds.flatMap(({ found }) => found);
  const gaps = all.flatMap(({ gapsMs }) => gapsMs);
  const speed = rank(
    rounds.map(({ tokensPerSecond }) => tokensPerSecond),
    0.5,
  );
  const first = rank(
    all.map(({ firstMs }) => firstMs),
    0.5,
  );
  const cells = [speed.toFixed(0), first.toFixed(1), rank(gaps, 0.5).toFixed(2), rank(gaps, 0.99).toFixed(2)];
  console.log(`| ${streams} | ${cells.join(" | ")} |`);
}
