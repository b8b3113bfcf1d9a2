import { at, greedyParams, type RankedToken, type SamplingParams } from "@drover/core";
import { drain, greedyTask, type LocalEngine } from "@drover/testkit";
import { expect } from "vitest";

/** Prompts that begin within a chunk of 32, at its end, and behind it. */
const prompts = [5, 32, 70].map((length, i) => prompt(length, i));
/** What the card reads of logits: all of them, and only the likeliest. */
const ways: readonly Partial<SamplingParams>[] = [
  { topLogprobs: 3, promptTopLogprobs: 2, routedExperts: true },
  { temperature: 0.9, topP: 0.8, presencePenalty: 0.5, repetitionPenalty: 1.1, n: 2, topLogprobs: 1 },
];

/** What is said of one position of a prompt, or of a token. */
export type Answer = Readonly<{
  of: string;
  tokenId?: number;
  logprob: number;
  top: readonly RankedToken[];
  experts: Uint16Array;
}>;

export function prompt(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => (i * 37 + (i >> 3) * 11 + seed * 53) % 96);
}

/** All that an engine says of the prompts, in every way of asking, by position: prompts are told of in parts, as steps cut them. */
export async function answersOf(local: LocalEngine): Promise<Answer[]> {
  for (const [way, params] of ways.entries()) {
    for (const [i, ids] of prompts.entries()) {
      const n = params.n ?? 1;
      const delivered = Array.from({ length: n }, () => ({ tokenIds: [], finished: false }));
      const task = { ...greedyTask(`${way}/${i}`, ids, 6), delivered, params: { ...greedyParams(6), ...params } };
      expect(local.engine.place(task)).toBeUndefined();
    }
  }
  await drain(local);
  const found = local.events.flatMap(({ requestId, event }): Answer[] => {
    if (event.kind === "token") return [{ ...event, of: `${requestId}, choice ${event.choice}, token ${event.index}` }];
    if (event.kind !== "prompt") return [];
    const { start, logprobs, tops, experts } = event;
    const moeCount = experts.length / event.count;
    return Array.from({ length: event.count }, (_, i) => ({
      of: `${requestId}, position ${start + i}`,
      logprob: logprobs[i] ?? 0,
      top: tops[i] ?? [],
      experts: experts.slice(i * moeCount, (i + 1) * moeCount),
    }));
  });
  return found.sort((a, b) => (a.of < b.of ? -1 : 1));
}

export function tokensOf(events: LocalEngine["events"]): number[] {
  return events.flatMap(({ event }) => (event.kind === "token" ? [event.tokenId] : []));
}

/** Equal ids and experts, and log-probabilities that differ by roundings alone. */
export function expectAlike(found: Answer, expected: Answer): void {
  const ids = ({ of, tokenId, top, experts }: Answer) => ({ of, tokenId, top: top.map((one) => one.tokenId), experts });
  expect(ids(found)).toEqual(ids(expected));
  const logprobs = ({ logprob, top }: Answer) => [logprob, ...top.map((one) => one.logprob)];
  for (const [i, logprob] of logprobs(found).entries()) expect(logprob).toBeCloseTo(at(logprobs(expected), i), 4);
}
