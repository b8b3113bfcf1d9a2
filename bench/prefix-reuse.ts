import { seededRandom } from "@drover/testkit";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What the prefix cache saves, and that it changes nothing: a conversation of 20 turns on one attention worker, and 100 requests with a common
 * prefix of 2,000 tokens over three, each with the cache and without. Ends with 1 when an answer differs, a log-probability by more than
 * 2e-3, or `cached_tokens` is not what the workers did not compute.
 * Envelope: a turn of nano adds some 60 tokens to a prompt of at most 1,300, so all but a block of 64 and the new ones should be reused, 90%;
 * of 100 x 2,050 tokens each of three workers should compute 2,000 once, and 256 at most for the rest of a chunk after it.
 */
const SEED = 1;
const TOLERANCE = 2e-3;

type Reply = {
  choices: { logprobs: { token_logprobs: number[] }; token_ids: number[] }[];
  usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
};
type Asked = Readonly<{ ids: number[]; logprobs: number[]; promptCount: number; cachedCount: number; ms: number }>;

const random = seededRandom(SEED);
const ids = (length: number) => Array.from({ length }, () => Math.floor(random() * 3000));

/** The time is that to the first token: only one is generated unless more are asked for. */
async function ask(cluster: TestCluster, prompt: readonly number[], maxTokens: number): Promise<Asked> {
  const began = performance.now();
  const body = { model: "nano", prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true };
  const response = await cluster.post("/v1/completions", { ...body, logprobs: 1, return_token_ids: true });
  if (!response.ok) throw new Error(await response.text());
  const { choices, usage } = (await response.json()) as Reply;
  const [choice] = choices;
  if (choice === undefined) throw new Error("a reply has a choice");
  return {
    ids: choice.token_ids,
    logprobs: choice.logprobs.token_logprobs,
    promptCount: usage.prompt_tokens,
    cachedCount: usage.prompt_tokens_details.cached_tokens,
    ms: performance.now() - began,
  };
}

type WorkerFacts = { workerId: string; adminAddress: string; status: { globalKv?: { cached: string } } };

async function workers(cluster: TestCluster): Promise<WorkerFacts[]> {
  const state = (await (await fetch(`${cluster.url}/debug/cluster`)).json()) as { workers: WorkerFacts[] };
  return state.workers.filter(({ workerId }) => workerId.startsWith("attention"));
}

async function metric(cluster: TestCluster, name: string): Promise<number> {
  let sum = 0;
  for (const { adminAddress } of await workers(cluster)) {
    const text = await (await fetch(`http://${adminAddress}/metrics`)).text();
    for (const line of text.split("\n")) if (line.startsWith(`${name}{`)) sum += Number(line.split(" ").at(-1));
  }
  return sum;
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

let failed = 0;
function check(what: string, isRight: boolean): void {
  if (isRight) return;
  failed += 1;
  console.log(`WRONG: ${what}`);
}

function compare(what: string, hit: Asked, miss: Asked): number {
  check(`${what}: other tokens`, JSON.stringify(hit.ids) === JSON.stringify(miss.ids));
  const worst = Math.max(...hit.logprobs.map((value, i) => Math.abs(value - (miss.logprobs[i] ?? Number.NaN))));
  check(`${what}: log-probabilities differ by ${worst}`, worst <= TOLERANCE);
  return worst;
}

async function both<T>(attentionWorkers: number, run: (cluster: TestCluster) => Promise<T>): Promise<[T, T]> {
  const results: T[] = [];
  for (const cache of ["on", "off"]) {
    await using cluster = await TestCluster.start({
      attentionWorkers,
      expertWorkers: 1,
      flags: ["--prefix-cache", cache],
    });
    // The first steps are slow, and calibrate.
    await ask(cluster, ids(300), 4);
    results.push(await run(cluster));
  }
  return results as [T, T];
}

const opening = ids(120);
const questions = Array.from({ length: 20 }, () => ids(40));
const [hits, misses] = await both(1, async (cluster) => {
  const before = await metric(cluster, "vllm:prompt_tokens_total");
  const turns: Asked[] = [];
  let history = opening;
  for (const question of questions) {
    history = [...history, ...question];
    const answer = await ask(cluster, history, 20);
    turns.push(answer);
    history = [...history, ...answer.ids];
  }
  return { turns, computed: (await metric(cluster, "vllm:prompt_tokens_total")) - before };
});
let worst = 0;
for (const [i, hit] of hits.turns.entries()) {
  const miss = misses.turns[i];
  if (miss !== undefined) worst = Math.max(worst, compare(`turn ${i}`, hit, miss));
}
const promptSum = hits.turns.reduce((sum, { promptCount }) => sum + promptCount, 0);
const cachedSum = hits.turns.reduce((sum, { cachedCount }) => sum + cachedCount, 0);
check(`cached_tokens ${cachedSum}, not computed ${promptSum - hits.computed}`, cachedSum === promptSum - hits.computed);
console.log(`seed ${SEED}; nano, f32; one attention and one expert worker, then three and one
| a conversation of 20 turns | prompt tokens | cached | computed | last turn, ms | worst difference |
|---|---|---|---|---|---|
| prefix cache | ${promptSum} | ${cachedSum} | ${hits.computed} | ${hits.turns.at(-1)?.ms.toFixed(0)} | ${worst.toExponential(1)} |
| without | ${promptSum} | 0 | ${misses.computed} | ${misses.turns.at(-1)?.ms.toFixed(0)} | |`);

const common = ids(2000);
const tails = Array.from({ length: 100 }, () => ids(50));
const [shared, apart] = await both(3, async (cluster) => {
  const before = await metric(cluster, "vllm:prompt_tokens_total");
  const answers: Asked[] = [];
  for (let at = 0; at < tails.length; at += 5)
    answers.push(...(await Promise.all(tails.slice(at, at + 5).map((tail) => ask(cluster, [...common, ...tail], 1)))));
  const computed = (await metric(cluster, "vllm:prompt_tokens_total")) - before;
  const held = (await workers(cluster)).map(({ status }) => Number(status.globalKv?.cached ?? 0));
  return { answers, computed, held };
});
worst = 0;
for (const [i, hit] of shared.answers.entries()) {
  const miss = apart.answers[i];
  if (miss !== undefined) worst = Math.max(worst, compare(`request ${i}`, hit, miss));
}
const sharedPrompts = shared.answers.reduce((sum, { promptCount }) => sum + promptCount, 0);
const sharedCached = shared.answers.reduce((sum, { cachedCount }) => sum + cachedCount, 0);
check(
  `cached_tokens ${sharedCached}, not computed ${sharedPrompts - shared.computed}`,
  sharedCached === sharedPrompts - shared.computed,
);
const ttft = ({ answers }: typeof shared) => median(answers.map(({ ms }) => ms)).toFixed(0);
console.log(`
| 100 requests, a common prefix of 2,000 tokens, 3 attention workers, 5 at a time | prompt tokens | cached | computed | first token, median ms | worst difference |
|---|---|---|---|---|---|
| prefix cache | ${sharedPrompts} | ${sharedCached} | ${shared.computed} | ${ttft(shared)} | ${worst.toExponential(1)} |
| without | ${sharedPrompts} | 0 | ${apart.computed} | ${ttft(apart)} | |
global KV cached by worker afterwards: ${shared.held.map((bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`).join(", ")}; 2,000 tokens of it are ${((2000 * 2 * 512) / 2 ** 20).toFixed(2)} MiB`);
process.exit(failed === 0 ? 0 : 1);
