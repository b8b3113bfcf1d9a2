import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "@drover/testkit";
import { readSse } from "./read-sse.ts";

/** What every stream must say, computed without faults. */
export type KnownAnswer = Readonly<{ prompt: string; text: string }>;

/** Sends JSON to whoever serves the OpenAI interface. */
export type Post = (path: string, body: unknown, signal?: AbortSignal) => Promise<Response>;

export type Streamed = Readonly<{
  text: string;
  /** `done`, `cut` for a connection that ended without a word, or the error's code. */
  end: string;
  /** The longest wait between two events of its text, milliseconds; 0 where fewer than two came. */
  pauseMs: number;
}>;

const TOKENS = 48;
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

const requestOf = (prompt: string) => ({
  model: "nano",
  messages: [{ role: "user", content: prompt }],
  temperature: 0,
  stream: true,
  max_tokens: TOKENS,
});

/** Greedy answers of some length. Each is asked for alone and among others: an answer that depends on its neighbours is a fault of its own. */
export async function knownAnswers(post: Post): Promise<KnownAnswer[]> {
  const prompts = NAMES.map((_, i) => {
    const notes = [0, 1, 2, 3, 4].map(
      (k) => `The odd ${NAMES[(i + 2 * k) % NAMES.length]} is ${137 + 53 * i + 101 * k}.`,
    );
    return `${notes.join("\n")}\nSay these notes in order.`;
  });
  const answers: KnownAnswer[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const { text, end } = await streamAnswer(post, prompt);
    if (end !== "done") throw new Error(`answer ${i} ends with ${end} without any fault`);
    answers.push({ prompt, text });
  }
  const together = await Promise.all(prompts.map((prompt) => streamAnswer(post, prompt)));
  for (const [i, { text, end }] of together.entries()) {
    if (end !== "done") throw new Error(`answer ${i} ends with ${end} among others`);
    if (text !== answers[i]?.text) throw new Error(`answer ${i} depends on what runs beside it`);
    if (text.length < 20) throw new Error(`answer ${i} is too short to be cut: ${text}`);
  }
  return answers;
}

/** One streamed answer, to its end, whatever that is. */
export async function streamAnswer(post: Post, prompt: string): Promise<Streamed> {
  let text = "";
  let pauseMs = 0;
  let lastMs: number | undefined;
  try {
    const response = await post("/v1/chat/completions", requestOf(prompt), AbortSignal.timeout(PATIENCE_MS));
    if (!response.ok || response.body === null) {
      const { error } = (await response.json()) as { error: { code: string } };
      return { text, end: `${response.status} ${error.code}`, pauseMs };
    }
    for await (const data of readSse(response.body)) {
      if (data === "[DONE]") return { text, end: "done", pauseMs };
      const event = JSON.parse(data) as { error?: { code: string }; choices?: { delta: { content?: string } }[] };
      if (event.error !== undefined) return { text, end: `in the stream: ${event.error.code}`, pauseMs };
      const nowMs = performance.now();
      pauseMs = Math.max(pauseMs, nowMs - (lastMs ?? nowMs));
      lastMs = nowMs;
      text += event.choices?.[0]?.delta.content ?? "";
    }
    return { text, end: "cut", pauseMs };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return { text: `${text}…`, end: "cut", pauseMs };
    const away = `no connection: ${error instanceof Error ? error.message : error}`;
    return { text, end: text === "" ? away : "cut", pauseMs };
  }
}

/** What came of streams whose right answers are known. */
export class StreamTally {
  /** Streams that ended with [DONE] and the right text. */
  right = 0;
  /** Streams that ended with an error, by what it said; their text so far was right. */
  readonly errors = new Map<string, number>();
  /** What must never be: wrong, shortened, repeated or unending text. */
  readonly violations: string[] = [];
  /** The longest pause of each stream. */
  readonly pausesMs: number[] = [];

  note(answer: KnownAnswer, { text, end, pauseMs }: Streamed): void {
    this.pausesMs.push(pauseMs);
    const known = JSON.stringify(answer.text);
    if (end === "done" && text === answer.text) this.right += 1;
    else if (end === "done") this.violations.push(`finished with ${JSON.stringify(text)} instead of ${known}`);
    else if (end === "cut") this.violations.push(`ended without an error or an end after ${JSON.stringify(text)}`);
    else if (!answer.text.startsWith(text))
      this.violations.push(`${JSON.stringify(text)} before "${end}" is not the start of ${known}`);
    else this.errors.set(end, (this.errors.get(end) ?? 0) + 1);
  }
}

/** Keeps so many streams running without a pause, and notes how each ends, until what it returns is called; that resolves with the last stream's end. */
export function streamWithoutPause(
  post: Post,
  answers: readonly KnownAnswer[],
  streams: number,
  tally: StreamTally,
): () => Promise<void> {
  let over = false;
  let next = 0;
  const client = async () => {
    while (!over) {
      const answer = answers[next++ % answers.length];
      if (answer === undefined) return;
      const streamed = await streamAnswer(post, answer.prompt);
      tally.note(answer, streamed);
      // As a client that was told to come back later would.
      if (streamed.end !== "done") await sleep(100);
    }
  };
  const clients = Array.from({ length: streams }, client);
  return async () => {
    over = true;
    await Promise.all(clients);
  };
}
