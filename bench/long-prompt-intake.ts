import { loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { seededRandom } from "@drover/core";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { loadTokenizer } from "@drover/tokenizer";
import { readSse } from "../tests/e2e/read-sse.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What short streams feel of one huge prompt while it is read, tokenized and queued: `--streams` of them alone, and from the moment at which a text of
 * `--tokens` tokens is sent, over HTTP and over gRPC, until an attention worker has its tokens. It is cancelled there: what its computation does to
 * streams is the business of `beside-long-prompt.ts`. The three cases in turns, `--rounds` of each.
 */
const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "1048576" },
    streams: { type: "string", default: "50" },
    rounds: { type: "string", default: "3" },
    /** Of a window without a huge prompt. */
    seconds: { type: "string", default: "6" },
  },
});
const TOKENS = Number(values.tokens);
const SHORT_PROMPT_TOKENS = 40;
const STREAM_TOKENS = 256;
const ORDINARY_IDS = 3000;
const SETTLE_MS = 2000;
const POLL_MS = 20;
const SENTENCE = " The shepherd counts the sheep before the evening comes, and then once more.";

const random = seededRandom(1);
const tokenizer = await loadTokenizer("models/nano");
const perSentence = (tokenizer.encode(SENTENCE.repeat(64)).length - tokenizer.encode("").length) / 64;
/** Of about so many tokens, with room for one more; no two begin alike. */
const hugeText = () => `${Math.floor(random() * 1e9)}${SENTENCE.repeat(Math.floor((TOKENS - 32) / perSentence))}`;

await using cluster = await TestCluster.start({ expertWorkers: 0, flags: ["--kv-memory", "2GiB"] });
using client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
const gaps = new Map<string, number[]>();
let into: number[] | undefined;
const over = new AbortController();

async function stream(): Promise<void> {
  while (!over.signal.aborted) {
    const prompt = Array.from({ length: SHORT_PROMPT_TOKENS }, () => Math.floor(random() * ORDINARY_IDS));
    const body = { model: "nano", prompt, max_tokens: STREAM_TOKENS, temperature: 0, ignore_eos: true, stream: true };
    const reply = await cluster.post("/v1/completions", body, over.signal);
    if (!reply.ok || reply.body === null) throw new Error(`${reply.status}: ${await reply.text()}`);
    let last: number | undefined;
    for await (const _ of readSse(reply.body)) {
      const now = performance.now();
      if (last !== undefined) into?.push(now - last);
      last = now;
    }
  }
}

async function pendingTokens(): Promise<number> {
  const reply = await cluster.askMember("attention-0", "GET /debug/worker");
  const { load } = (await reply.json()) as { load: { pendingTokenCount: number } };
  return load.pendingTokenCount;
}

/** Sends it, and cancels once a worker has it. Its tokens. Errors: it was answered before. */
async function queued(send: (text: string, signal: AbortSignal) => Promise<void>): Promise<number> {
  const text = hugeText();
  const cancel = new AbortController();
  let isAnswered = false;
  const sent = send(text, cancel.signal).then(
    () => (isAnswered = true),
    (error: unknown) => {
      if (!cancel.signal.aborted) throw error;
    },
  );
  const pending = async () => {
    for (let count = 0; ; await pause(POLL_MS)) {
      if (isAnswered) throw new Error("it was answered before a worker was seen to have it");
      count = await pendingTokens();
      if (count > TOKENS / 2) return count;
    }
  };
  const count = await Promise.race([pending(), sent.then(() => Number.NaN)]);
  into = undefined;
  cancel.abort();
  await sent;
  return count;
}

const overHttp = async (text: string, signal: AbortSignal) => {
  const reply = await cluster.post("/v1/completions", { model: "nano", prompt: text, max_tokens: 1 }, signal);
  throw new Error(`${reply.status}: ${(await reply.text()).slice(0, 200)}`);
};
const overGrpc = async (text: string, signal: AbortSignal) => {
  const prompt = { case: "text", value: text } as const;
  const request = create(publicApi.GenerateRequestSchema, { model: "nano", prompt, options: { maxTokens: 1 } });
  const call = client.serverStream(publicApi.Inference.method.generate, request);
  signal.addEventListener("abort", () => call.cancel());
  for await (const _ of call) return;
};

const quantile = (list: readonly number[], q: number) =>
  [...list].sort((a, b) => a - b)[Math.floor(q * list.length)] ?? Number.NaN;

console.log(`nano, one process of experts and attention; load ${loadavg()[0]?.toFixed(1)} before it began`);
const running = Array.from({ length: Number(values.streams) }, () =>
  stream().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  }),
);
const took = new Map<string, string[]>();
const cases: Readonly<Record<string, () => Promise<number>>> = {
  alone: async () => {
    await pause(Number(values.seconds) * 1000);
    return 0;
  },
  "over HTTP": () => queued(overHttp),
  "over gRPC": () => queued(overGrpc),
};
for (let round = 0; round < Number(values.rounds); round++)
  for (const [name, run] of Object.entries(cases)) {
    await pause(SETTLE_MS);
    const list = gaps.get(name) ?? [];
    gaps.set(name, list);
    into = list;
    const began = performance.now();
    const count = await run();
    into = undefined;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    took.set(name, [...(took.get(name) ?? []), count === 0 ? seconds : `${seconds} (${count} pending)`]);
  }
over.abort();
await Promise.all(running);
console.log("| a huge prompt | seconds until a worker has it | events | inter-token p50 ms | p99 | p99 over alone |");
console.log("|---|---|---|---|---|---|");
const alone = quantile(gaps.get("alone") ?? [], 0.99);
for (const [name, list] of gaps) {
  const [p50, p99] = [quantile(list, 0.5), quantile(list, 0.99)];
  console.log(
    `| ${name} | ${took.get(name)?.join(", ")} | ${list.length} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${(p99 / alone).toFixed(2)} |`,
  );
}
