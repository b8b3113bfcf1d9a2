import { expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const ids = (length: number) => Array.from({ length }, (_, i) => (i * 7919 + length * 104_729) % 3000);

type Completion = {
  usage: { prompt_tokens_details: { cached_tokens: number } };
  choices: { logprobs: { tokens: string[]; token_logprobs: number[] } }[];
};

/** Greedy tokens and their log-probabilities. */
async function complete(cluster: TestCluster, length: number): Promise<{ tokens: string[]; logprobs: number[] }> {
  const body = { model: "nano", prompt: ids(length), max_tokens: 12, temperature: 0, ignore_eos: true, logprobs: 1 };
  const response = await cluster.post("/v1/completions", body);
  expect(response.status, cluster.output).toBe(200);
  const { choices } = (await response.json()) as Completion;
  return { tokens: choices[0]?.logprobs.tokens ?? [], logprobs: choices[0]?.logprobs.token_logprobs ?? [] };
}

type ContextFacts = { context: { segmentCount: number; byteCount: number } };

async function heldSegments(cluster: TestCluster, names: readonly string[]): Promise<number[]> {
  return await Promise.all(
    names.map(async (name) => {
      const { context } = (await (await cluster.askMember(name, "GET /debug/worker")).json()) as ContextFacts;
      return context.segmentCount;
    }),
  );
}

test("a context worker that is killed while it holds a part of a request costs time and nothing else", async () => {
  await using plain = await TestCluster.start({ expertWorkers: 1, flags: ["--prefix-cache", "off"] });
  const lengths = [12_000, 500];
  const expected = [];
  for (const length of lengths) expected.push(await complete(plain, length));
  await plain[Symbol.asyncDispose]();

  await using cluster = await TestCluster.start({
    expertWorkers: 1,
    flags: ["--context-workers", "2", "--stripe-above", "1000", "--prefix-cache", "off"],
  });
  const holders = ["context-0", "context-1"];
  const long = complete(cluster, 12_000);
  while ((await heldSegments(cluster, holders)).some((count) => count < 2))
    await new Promise((done) => setTimeout(done, 10));
  const [pid] = cluster.pids("--worker-id=context-1");
  process.kill(pid ?? 0, "SIGKILL");
  const answers = [await long, await complete(cluster, 500)];
  for (const [i, { tokens, logprobs }] of expected.entries()) {
    expect(answers[i]?.tokens, cluster.output).toEqual(tokens);
    for (const [at, logprob] of logprobs.entries())
      expect(Math.abs((answers[i]?.logprobs[at] ?? Number.NaN) - logprob)).toBeLessThan(2e-3);
  }
  for (let tries = 0; tries < 200 && (await heldSegments(cluster, holders.slice(0, 1)))[0] !== 0; tries++)
    await new Promise((done) => setTimeout(done, 50));
  expect((await heldSegments(cluster, holders.slice(0, 1)))[0]).toBe(0);
});
