import type { Post } from "../../tests/e2e/known-stream.ts";
import { readSse } from "../../tests/e2e/read-sse.ts";
import type { MixedRequest } from "./mixed-requests.ts";

/** How a stream ended, and what it had said by then, by choice. */
export type Outcome = Readonly<{
  texts: readonly string[];
  /** `done`, `lost` for one that ended without a word, `hanging` for one that did not end, or an error's code. */
  end: string;
  /** The longest wait between two events, milliseconds. */
  pauseMs: number;
  /** When each event came, on the monotonic scale. */
  eventsMs: readonly number[];
}>;

type Delta = { content?: string | null; tool_calls?: { function?: { name?: string; arguments?: string } }[] };
type Event = { error?: { code: string }; choices?: { index: number; text?: string; delta?: Delta }[] };

/** A stream that takes longer hangs. */
const STREAM_MS_MAX = 90_000;

/** Sends a request and reads its stream to the end, whatever that is. */
export async function readMixed(post: Post, { path, body }: MixedRequest): Promise<Outcome> {
  const texts: string[] = [];
  const eventsMs: number[] = [];
  const ended = (end: string): Outcome => ({ texts, end, eventsMs, pauseMs: longestPause(eventsMs) });
  try {
    const response = await post(path, body, AbortSignal.timeout(STREAM_MS_MAX));
    if (!response.ok || response.body === null) {
      const { error } = (await response.json()) as { error: { code: string } };
      return ended(`${response.status} ${error.code}`);
    }
    for await (const data of readSse(response.body)) {
      if (data === "[DONE]") return ended("done");
      const event = JSON.parse(data) as Event;
      if (event.error !== undefined) return ended(`in the stream: ${event.error.code}`);
      eventsMs.push(performance.now());
      for (const choice of event.choices ?? []) texts[choice.index] = (texts[choice.index] ?? "") + saidBy(choice);
    }
    return ended("lost");
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return ended("hanging");
    return ended(texts.length === 0 ? "no connection" : "lost");
  }
}

function longestPause(eventsMs: readonly number[]): number {
  let longestMs = 0;
  let lastMs = eventsMs[0] ?? 0;
  for (const eventMs of eventsMs) {
    longestMs = Math.max(longestMs, eventMs - lastMs);
    lastMs = eventMs;
  }
  return longestMs;
}

function saidBy({ text, delta }: NonNullable<Event["choices"]>[number]): string {
  const calls = (delta?.tool_calls ?? []).map(
    ({ function: called }) => `${called?.name ?? ""}${called?.arguments ?? ""}`,
  );
  return [text ?? "", delta?.content ?? "", ...calls].join("");
}

/** What comes of requests whose right answers are known. */
export class MixedTally {
  requests = 0;
  right = 0;
  readonly wrong: string[] = [];
  lost = 0;
  hanging = 0;
  readonly errors = new Map<string, number>();
  readonly pausesMs: number[] = [];

  note({ kind }: MixedRequest, known: readonly string[], { texts, end, pauseMs }: Outcome): void {
    this.requests += 1;
    this.pausesMs.push(pauseMs);
    const isWhole = end === "done" && texts.length === known.length && texts.every((text, i) => text === known[i]);
    const isBegun = texts.every((text, i) => known[i]?.startsWith(text) === true);
    if (isWhole) this.right += 1;
    else if (end === "done" || !isBegun)
      this.wrong.push(`${kind}: ${JSON.stringify(texts)} for ${JSON.stringify(known)} (${end})`);
    else if (end === "lost") this.lost += 1;
    else if (end === "hanging") this.hanging += 1;
    else this.errors.set(`${kind} ${end}`, (this.errors.get(`${kind} ${end}`) ?? 0) + 1);
  }
}
