import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { TestCluster } from "../tests/e2e/test-cluster.ts";

type ToolCall = Readonly<{ name: string; arguments: unknown }>;

/** A chat request with its right answer. */
export type Task = Readonly<{
  name: string;
  task: string;
  request: Readonly<Record<string, unknown>>;
  expected: Readonly<{ text: string }> | Readonly<{ tool_calls: readonly ToolCall[] }>;
}>;

/** What a format got right, by kind of task; and how it reads the prompts. */
export type Score = Readonly<{
  right: ReadonlyMap<string, number>;
  rightCount: number;
  /** Tasks that got no answer at all. */
  errorCount: number;
  /** exp of the mean negative log-probability of the prompts' tokens, each prompt's first left out. */
  promptPerplexity: number;
  /** The same of the reference's answers to them. */
  answerPerplexity: number;
}>;

/** A prompt and the reference's answer, as token ids. */
export type Conversation = Readonly<{ input_ids: readonly number[]; greedy: readonly number[] }>;

export function readLines<T>(path: string): T[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

/** Asks everything of a running cluster, some requests at once. */
export async function score(
  cluster: TestCluster,
  tasks: readonly Task[],
  conversations: readonly Conversation[],
  concurrency: number,
): Promise<Score> {
  const model = ((await (await fetch(`${cluster.url}/v1/models`)).json()) as { data: { id: string }[] }).data[0]?.id;
  const right = new Map<string, number>();
  let errorCount = 0;
  await inParallel(tasks, concurrency, async (task) => {
    const response = await cluster.post("/v1/chat/completions", { ...task.request, model });
    const body = await response.text();
    if (!response.ok) {
      if (errorCount++ === 0) process.stderr.write(`${task.name}: HTTP ${response.status}: ${body.slice(0, 200)}\n`);
    } else if (isRight(task, JSON.parse(body).choices[0].message))
      right.set(task.task, (right.get(task.task) ?? 0) + 1);
  });
  const prompts = new Perplexity();
  const answers = new Perplexity();
  await inParallel(conversations, concurrency, async ({ input_ids, greedy }) => {
    const request = { model, prompt: [...input_ids, ...greedy], echo: true, logprobs: 1, max_tokens: 0 };
    const response = await cluster.post("/v1/completions", request);
    if (!response.ok) throw new Error(`no log-probabilities: ${await response.text()}`);
    const reply = (await response.json()) as { choices: { logprobs: { token_logprobs: (number | null)[] } }[] };
    reply.choices[0]?.logprobs.token_logprobs.forEach((logprob, i) => {
      (i < input_ids.length ? prompts : answers).add(logprob);
    });
  });
  const rightCount = [...right.values()].reduce((a, b) => a + b, 0);
  return { right, rightCount, errorCount, promptPerplexity: prompts.value, answerPerplexity: answers.value };
}

/** Text counts up to white space around it; calls count only as `tool_calls`, all of them and in order. */
function isRight(
  { expected }: Task,
  message: { content: string | null; tool_calls?: { function: { name: string; arguments: string } }[] },
): boolean {
  const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: written } }) => ({
    name,
    arguments: JSON.parse(written) as unknown,
  }));
  if ("tool_calls" in expected) return isDeepStrictEqual(calls, expected.tool_calls);
  return calls.length === 0 && (message.content ?? "").trim() === expected.text;
}

async function inParallel<T>(entries: readonly T[], count: number, run: (entry: T) => Promise<void>): Promise<void> {
  const waiting = entries.values();
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (const entry of waiting) await run(entry);
    }),
  );
}

class Perplexity {
  #sum = 0;
  #count = 0;

  /** Null for what nothing predicts. */
  add(logprob: number | null): void {
    if (logprob === null) return;
    this.#sum += logprob;
    this.#count++;
  }

  get value(): number {
    return Math.exp(-this.#sum / this.#count);
  }
}
