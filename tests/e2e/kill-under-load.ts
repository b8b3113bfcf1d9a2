import { readSse } from "./read-sse.ts";
import type { TestCluster } from "./test-cluster.ts";

/** What every stream must say, computed without faults. */
export type KnownAnswer = Readonly<{ prompt: string; text: string }>;

export type KillReport = Readonly<{
  kills: number;
  /** Streams that ended with [DONE] and the right text. */
  right: number;
  /** Streams that ended with an error, by what it said; their text so far was right. */
  errors: ReadonlyMap<string, number>;
  /** What must never be: wrong, shortened, repeated or unending text. */
  violations: readonly string[];
  /** From each kill to the next right answer. */
  recoveryMs: readonly number[];
}>;

const STREAMS = 8;
const TOKENS = 48;
const RECOVERY_MS_MAX = 60_000;
const STREAM_MS_MAX = 90_000;
const NAMES = [
  "quiver",
  "helmet",
  "barrel",
  "vapor",
  "glacier",
  "onyx",
  "nickel",
  "pearl",
  "dragon",
  "saucer",
  "button",
];

const messagesOf = (prompt: string) => [{ role: "user", content: prompt }];
const requestOf = (prompt: string) => ({
  model: "nano",
  messages: messagesOf(prompt),
  temperature: 0,
  stream: true,
  max_tokens: TOKENS,
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Greedy answers of some length. Each is asked for alone and among others: an answer that depends on its neighbours is a fault of its own. */
export async function knownAnswers(cluster: TestCluster): Promise<KnownAnswer[]> {
  const prompts = NAMES.map((_, i) => {
    const notes = [0, 1, 2, 3, 4].map(
      (k) => `The odd ${NAMES[(i + 2 * k) % NAMES.length]} is ${137 + 53 * i + 101 * k}.`,
    );
    return `${notes.join("\n")}\nSay these notes in order.`;
  });
  const answers: KnownAnswer[] = [];
  for (const prompt of prompts) answers.push({ prompt, text: (await stream(cluster, prompt)).text });
  const together = await Promise.all(prompts.map((prompt) => stream(cluster, prompt)));
  for (const [i, { text, end }] of together.entries()) {
    if (end !== "done" || text !== answers[i]?.text) throw new Error(`answer ${i} depends on what runs beside it`);
    if (text.length < 20) throw new Error(`answer ${i} is too short to be cut: ${text}`);
  }
  return answers;
}

/** Kills the process whose command line contains `victim`, each time after it is back, while streams run without a pause. */
export async function killUnderLoad(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  options: Readonly<{ victim: string; kills: number; onKill?: (kill: number, recoveryMs: number) => void }>,
): Promise<KillReport> {
  const { victim, kills } = options;
  const errors = new Map<string, number>();
  const violations: string[] = [];
  const recoveryMs: number[] = [];
  let right = 0;
  let over = false;
  let next = 0;
  const note = (answer: KnownAnswer, { text, end }: Streamed) => {
    const known = JSON.stringify(answer.text);
    if (end === "done" && text === answer.text) right += 1;
    else if (end === "done") violations.push(`finished with ${JSON.stringify(text)} instead of ${known}`);
    else if (end === "cut") violations.push(`ended without an error or an end after ${JSON.stringify(text)}`);
    else if (!answer.text.startsWith(text))
      violations.push(`${JSON.stringify(text)} before "${end}" is not the start of ${known}`);
    else errors.set(end, (errors.get(end) ?? 0) + 1);
  };
  const client = async () => {
    while (!over) {
      const answer = answers[next++ % answers.length];
      if (answer === undefined) return;
      const streamed = await stream(cluster, answer.prompt);
      note(answer, streamed);
      // As a client told to come back later would.
      if (streamed.end !== "done") await pause(100);
    }
  };
  const clients = Array.from({ length: STREAMS }, client);
  try {
    for (let kill = 0; kill < kills; kill++) {
      await pause(200 + ((kill * 137) % 300));
      const [pid] = cluster.pids(victim);
      if (pid === undefined) throw new Error(`no process runs ${victim}`);
      process.kill(pid, "SIGKILL");
      const took = await recovery(cluster, answers, victim, pid);
      recoveryMs.push(took);
      options.onKill?.(kill + 1, took);
    }
  } finally {
    over = true;
    await Promise.all(clients);
  }
  return { kills, right, errors, violations, recoveryMs };
}

/** Until another process has the victim's place and a new request is answered rightly. */
async function recovery(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  victim: string,
  dead: number,
): Promise<number> {
  const began = performance.now();
  const [probe] = answers;
  if (probe === undefined) throw new Error("nothing to ask");
  while (performance.now() - began < RECOVERY_MS_MAX) {
    const back = cluster.pids(victim).some((pid) => pid !== dead);
    if (back && (await stream(cluster, probe.prompt)).end === "done") return performance.now() - began;
    await pause(50);
  }
  throw new Error(`the cluster does not answer ${RECOVERY_MS_MAX} ms after ${victim} was killed:\n${cluster.output}`);
}

type Streamed = Readonly<{
  text: string;
  /** `done`, `cut` for a connection that ended without a word, or the error's code. */
  end: string;
}>;

async function stream(cluster: TestCluster, prompt: string): Promise<Streamed> {
  let text = "";
  try {
    const response = await cluster.post("/v1/chat/completions", requestOf(prompt), AbortSignal.timeout(STREAM_MS_MAX));
    if (!response.ok || response.body === null) {
      const { error } = (await response.json()) as { error: { code: string } };
      return { text, end: `${response.status} ${error.code}` };
    }
    for await (const data of readSse(response.body)) {
      if (data === "[DONE]") return { text, end: "done" };
      const event = JSON.parse(data) as { error?: { code: string }; choices?: { delta: { content?: string } }[] };
      if (event.error !== undefined) return { text, end: `in the stream: ${event.error.code}` };
      text += event.choices?.[0]?.delta.content ?? "";
    }
    return { text, end: "cut" };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return { text: `${text}…`, end: "cut" };
    return { text, end: text === "" ? `no connection: ${error instanceof Error ? error.message : error}` : "cut" };
  }
}
